import { createHash, randomBytes } from 'node:crypto';
import { DbManagerError, type Row } from '@dbmanager/core';
import { type CleanUpOptions, deleteUntil } from './delete-until.js';
import type { StoreContext, StoreOptions } from './store-context.js';
import { columnsOf } from './store-table.js';
import { ACCESS_TOKENS } from './store-tables.js';
import { dateOf, inputOf, optionalKeyOf, parsedJson, textIn, timeOf } from './store-values.js';

/** A bearer token as RFC 6750 has it (`b64token`), long enough not to be guessed. */
const TOKEN = /^(?=.{16,4096}$)[A-Za-z0-9\-._~+/]+=*$/;
/** A scope as RFC 6749 has it. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
/** Of tokens made here: 256 bits. */
const TOKEN_BYTES = 32;

/** What an access token is for. */
export interface AccessTokenGrant {
  readonly userId?: string | undefined;
  readonly tenantId?: string | undefined;
  /** Default: none. */
  readonly scopes?: readonly string[] | undefined;
  readonly expiresAt: Date;
}

/** An access token to save. */
export interface AccessTokenInput extends AccessTokenGrant {
  /** 16 to 4,096 characters of a bearer token: letters, digits, `-._~+/`, and `=` at the end. */
  readonly token: string;
}

/** An access token. */
export interface AccessToken {
  /** As the caller gave it: the database does not have it. */
  readonly token: string;
  readonly userId: string | undefined;
  readonly tenantId: string | undefined;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
  readonly createdAt: Date;
}

/** Options of {@link AccessTokenStore.validate}. */
export interface ValidateOptions extends StoreOptions {
  /** The token must have all of these. Default: none. */
  readonly scopes?: readonly string[] | undefined;
}

const COLUMNS = columnsOf(ACCESS_TOKENS);

/**
 * Access tokens. Of a token only its SHA-256 digest is stored, by which it is looked up: what is read out of the table, or of a
 * backup, opens nothing, and how long a lookup takes tells nothing of other tokens.
 *
 * A malformed token is refused with `DBM_TOKEN_INVALID` before anything is sent. Every method rejects with `DBM_STORE_TABLE` when
 * the table is missing.
 */
export class AccessTokenStore {
  readonly #context: StoreContext;
  readonly #table: string;
  readonly #upsert: string;

  constructor(context: StoreContext) {
    this.#context = context;
    this.#table = context.name(ACCESS_TOKENS);
    this.#upsert = context.dialect.upsert({
      table: ACCESS_TOKENS,
      name: this.#table,
      columns: COLUMNS,
      keeps: ['created_at'],
    });
  }

  /** Makes a token of 256 random bits and saves it. Show it to its user now: nobody can read it later. */
  async issue(grant: AccessTokenGrant, options?: StoreOptions): Promise<AccessToken> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const createdAt = await this.#save({ ...grant, token }, options);
    const { userId, tenantId, scopes = [], expiresAt } = grant;
    return { token, userId, tenantId, scopes, expiresAt, createdAt: new Date(createdAt) };
  }

  /** Saves a token, in place of what was saved for it before; the moment at which that was created is kept. */
  async save(token: AccessTokenInput, options?: StoreOptions): Promise<void> {
    await this.#save(token, options);
  }

  async #save(input: AccessTokenInput, options: StoreOptions | undefined): Promise<number> {
    const context = this.#context;
    const { token, userId, tenantId, scopes = [], expiresAt } = inputOf(context, 'token', input);
    const now = context.now();
    const values = {
      token_digest: this.#digest(token),
      user_id: optionalKeyOf(context, 'userId', userId),
      tenant_id: optionalKeyOf(context, 'tenantId', tenantId),
      scopes: JSON.stringify(this.#checked(scopes)),
      expires_at: timeOf(context, 'expiresAt', expiresAt),
      created_at: now,
    };
    const params = COLUMNS.map((column) => values[column]);
    await context.execute(ACCESS_TOKENS, this.#upsert, params, options);
    return now;
  }

  /** The token, whether its time is over or not; undefined when there is none. */
  async load(token: string, options?: StoreOptions): Promise<AccessToken | undefined> {
    const sql = `select ${COLUMNS.join(', ')} from ${this.#table} where token_digest = ?`;
    const row = await this.#context.queryOne(ACCESS_TOKENS, sql, [this.#digest(token)], options);
    return row && tokenOf(token, row);
  }

  /**
   * The token, if it is valid now. Rejects with `DBM_TOKEN_INVALID` when there is none, `DBM_TOKEN_EXPIRED` when its time is over,
   * `DBM_TOKEN_SCOPE` when it lacks a scope that is asked for.
   */
  async validate(token: string, { scopes = [], ...options }: ValidateOptions = {}): Promise<AccessToken> {
    const { connectionName } = this.#context;
    const wanted = this.#checked(scopes);
    const found = await this.load(token, options);
    if (found === undefined) throw new DbManagerError('DBM_TOKEN_INVALID', 'no such token', { connectionName });
    if (found.expiresAt.getTime() <= this.#context.now()) {
      const message = `the token was valid until ${found.expiresAt.toISOString()}`;
      throw new DbManagerError('DBM_TOKEN_EXPIRED', message, { connectionName });
    }
    const missing = wanted.filter((scope) => !found.scopes.includes(scope));
    if (missing.length === 0) return found;
    throw new DbManagerError('DBM_TOKEN_SCOPE', `the token lacks the scope ${missing.join(' ')}`, { connectionName });
  }

  /** Deletes a token; false when there was none, which is no error. */
  async delete(token: string, options?: StoreOptions): Promise<boolean> {
    const sql = `delete from ${this.#table} where token_digest = ?`;
    const { rowsAffected } = await this.#context.execute(ACCESS_TOKENS, sql, [this.#digest(token)], options);
    return rowsAffected > 0;
  }

  /** Deletes tokens whose time is over, a few at a time; the number of them. */
  cleanUp(options?: CleanUpOptions): Promise<number> {
    return deleteUntil(this.#context, ACCESS_TOKENS, 'expires_at', options);
  }

  #digest(token: unknown): string {
    if (typeof token === 'string' && TOKEN.test(token)) return createHash('sha256').update(token).digest('hex');
    const { connectionName } = this.#context;
    throw new DbManagerError('DBM_TOKEN_INVALID', 'this is no bearer token of 16 to 4,096 characters', {
      connectionName,
      option: 'token',
    });
  }

  #checked(scopes: readonly string[]): readonly string[] {
    if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string' && SCOPE.test(scope))) return scopes;
    throw this.#context.invalid('scopes', 'scopes must be texts of visible ASCII characters without spaces, " and \\');
  }
}

function tokenOf(token: string, row: Row): AccessToken {
  return {
    token,
    userId: textIn(row.user_id),
    tenantId: textIn(row.tenant_id),
    scopes: parsedJson<string[]>(row.scopes),
    expiresAt: dateOf(row.expires_at),
    createdAt: dateOf(row.created_at),
  };
}
