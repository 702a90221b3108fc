import type { EventEmitter } from 'node:events';
import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, QueryResult } from 'kysely';
import type { Statements } from './statements.js';

/** Type parsers of results, as pg's `types`. */
export interface TypeParsers {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown;
}

/** What pg gives for one command. */
export interface PgResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: unknown[];
}

/** A query that pg lets drive the connection. */
interface PgCursor {
  read(rowCount: number): Promise<unknown[]>;
  close(): Promise<void>;
}

type CursorClass = new (sql: string, values: unknown[], config: { types?: TypeParsers | undefined }) => PgCursor;

/** What is needed of a `pg.PoolClient`, or of what behaves as one in a transaction. */
export interface PgClient extends EventEmitter {
  query(text: string, values: readonly unknown[]): Promise<PgResult | PgResult[]>;
  query(config: { text: string; values: readonly unknown[]; types?: TypeParsers }): Promise<PgResult | PgResult[]>;
  query<S extends object>(submittable: S): S;
  /** With anything true the connection is closed. */
  release(destroy?: boolean): void;
}

const CHANGES_ROWS = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE']);

/** Statements on a client of pg; `types` goes with each, as it must not stand on a shared connection. */
export class PostgresStatements implements Statements {
  readonly #client: PgClient;
  readonly #types: TypeParsers | undefined;
  readonly #connectionName: string;

  constructor(client: PgClient, types: TypeParsers | undefined, connectionName: string) {
    this.#client = client;
    this.#types = types;
    this.#connectionName = connectionName;
  }

  async execute({ sql, parameters }: CompiledQuery): Promise<QueryResult<unknown>> {
    const { command, rowCount, rows } = lastOf(await this.#sent(sql, parameters));
    return CHANGES_ROWS.has(command) ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows };
  }

  /** One text; of several commands in it the result of the last. */
  async send(text: string, values: readonly unknown[] = []): Promise<PgResult> {
    return lastOf(await this.#sent(text, values));
  }

  #sent(text: string, values: readonly unknown[]): Promise<PgResult | PgResult[]> {
    const types = this.#types;
    // An object costs pg a copy, property by property.
    return types === undefined ? this.#client.query(text, values) : this.#client.query({ text, values, types });
  }

  async *stream({ sql, parameters }: CompiledQuery, chunkSize: number): AsyncGenerator<QueryResult<unknown>, void> {
    const Cursor = loadPeer<CursorClass>('pg-cursor', import.meta.url, {
      by: 'streaming from PostgreSQL with Kysely',
      connectionName: this.#connectionName,
    });
    const lost = Promise.withResolvers<void>();
    this.#client.once('end', lost.resolve);
    const cursor = this.#client.query(new Cursor(sql, [...parameters], { types: this.#types }));
    try {
      for (;;) {
        const rows = await cursor.read(chunkSize);
        if (rows.length === 0) return;
        yield { rows };
      }
    } finally {
      // On a dead connection a cursor waits for the server before it closes: for ever.
      await Promise.race([cursor.close(), lost.promise]);
      this.#client.off('end', lost.resolve);
    }
  }
}

/** Several commands in one text give a result each. */
function lastOf(result: PgResult | PgResult[]): PgResult {
  return Array.isArray(result) ? (result.at(-1) as PgResult) : result;
}
