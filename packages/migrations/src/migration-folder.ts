import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CodeMigration, Migration, MigrationDirection, MigrationScript } from './migration.js';
import { MigrationError } from './migration-error.js';

/** golang-migrate's names: `1_title.up.sql`. */
const SCRIPT = /^([0-9]+)_(.*)\.(down|up)\.(.*)$/;
/** A migration in code beside them, which golang-migrate does not see: `2_title.js`. */
const CODE = /^([0-9]+)_(.*?)(?<!\.d|\.test)\.(?:[cm]?js|m?ts)$/;
/** What the history holds of one: as many characters as SHA-256 has in hexadecimal. */
const LONGEST_CHECKSUM = 64;
/** What a column of 64 bits holds. */
const MAX_VERSION = 2n ** 63n - 1n;

/** Where migrations come from. */
export interface MigrationSources {
  /** Name of the connection, for errors. */
  readonly connectionName: string;
  /** Left out: there are none but those in code. */
  readonly path: string | undefined;
  readonly code: readonly CodeMigration[];
}

/**
 * All migrations in the order of their versions. Files whose names are no migrations' are passed over. Rejects with
 * `DBM_MIGRATION_SOURCE` for a folder that is not there, two of one version, a way down without a way up, code that is none.
 */
export async function loadMigrations({ connectionName, path, code }: MigrationSources): Promise<Migration[]> {
  const collection = new MigrationCollection(connectionName);
  for (const migration of code) collection.addCode(migration, 'the migrations in code');
  if (path !== undefined) await collection.addFolder(path);
  return collection.migrations();
}

/** A migration of which not all has been found yet. */
interface Draft {
  readonly version: bigint;
  readonly description: string;
  readonly scripts: Partial<Record<MigrationDirection, MigrationScript>>;
  readonly origin: string;
  checksum: string | undefined;
}

class MigrationCollection {
  readonly #connectionName: string;
  readonly #drafts = new Map<bigint, Draft>();

  constructor(connectionName: string) {
    this.#connectionName = connectionName;
  }

  async addFolder(path: string): Promise<void> {
    for (const name of await this.#list(path)) {
      const file = join(path, name);
      const script = SCRIPT.exec(name);
      if (script !== null) await this.#addScript(file, script);
      else if (CODE.test(name)) await this.#addModule(file, name);
    }
  }

  /** @param checksum of its file; left out: its own. */
  addCode(migration: CodeMigration, origin: string, checksum?: string): void {
    if (typeof migration !== 'object' || migration === null)
      throw this.#wrong(`${origin}: ${migration} is no migration`);
    const { description, up, down, transaction } = migration;
    const version = this.#version(migration.version, origin);
    const wrong = wrongInCode(migration);
    if (wrong !== undefined) throw this.#wrong(`${origin}: version ${version} has ${wrong}`);
    const draft = this.#draft(version, description, origin);
    if (draft.scripts.up !== undefined) throw this.#duplicate(draft, origin);
    // Bound, so that a migration may be an object with methods.
    draft.scripts.up = { kind: 'code', run: up.bind(migration), transaction };
    if (down !== undefined) draft.scripts.down = { kind: 'code', run: down.bind(migration), transaction };
    draft.checksum = checksum ?? migration.checksum;
  }

  migrations(): Migration[] {
    const drafts = [...this.#drafts.values()].sort((a, b) => (a.version < b.version ? -1 : 1));
    return drafts.map(({ version, description, checksum, scripts: { up, down }, origin }) => {
      if (up === undefined) throw this.#wrong(`${origin} has no way up: version ${version} has no .up file`);
      return { version, description, checksum, up, down };
    });
  }

  async #list(path: string): Promise<string[]> {
    try {
      return (await readdir(path)).sort();
    } catch (cause) {
      throw this.#wrong(`the folder of migrations ${path} cannot be read`, cause);
    }
  }

  async #addScript(file: string, match: RegExpExecArray): Promise<void> {
    const [, digits = '', title = '', direction] = match as unknown as [string, string, string, MigrationDirection];
    const draft = this.#draft(this.#version(digits, file), title, file);
    const { scripts } = draft;
    const taken = scripts.up?.kind === 'code' || scripts[direction] !== undefined;
    if (taken) throw this.#duplicate(draft, file);
    const text = await this.#read(file);
    scripts[direction] = { kind: 'sql', file, text };
    if (direction === 'up') draft.checksum = checksumOf(text);
  }

  async #addModule(file: string, name: string): Promise<void> {
    const [, digits = '', title = ''] = CODE.exec(name) as unknown as [string, string, string];
    const exported = await this.#import(file);
    const version = this.#version(digits, file);
    if (exported.version !== undefined && this.#version(exported.version, file) !== version) {
      throw this.#wrong(`${file} says that it is version ${exported.version}`);
    }
    const checksum = checksumOf(await this.#read(file));
    const { description = title } = exported;
    this.addCode({ ...exported, version, description } as CodeMigration, file, checksum);
  }

  /** The text without a byte order mark: other bytes than UTF-8 would get into the database as marks of what they were. */
  async #read(file: string): Promise<string> {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
    } catch (cause) {
      throw this.#wrong(`${file} is not text in UTF-8, or cannot be read`, cause);
    }
  }

  /** What a module exports: as its default, or by name. */
  async #import(file: string): Promise<Partial<CodeMigration>> {
    try {
      const module = (await import(pathToFileURL(file).href)) as { default?: Partial<CodeMigration> };
      return module.default ?? (module as Partial<CodeMigration>);
    } catch (cause) {
      throw this.#wrong(`${file} cannot be loaded`, cause);
    }
  }

  #draft(version: bigint, description: string, origin: string): Draft {
    const known = this.#drafts.get(version);
    if (known !== undefined) return known;
    const draft: Draft = { version, description, scripts: {}, origin, checksum: undefined };
    this.#drafts.set(version, draft);
    return draft;
  }

  #version(value: string | number | bigint, origin: string): bigint {
    const exact = typeof value !== 'number' || Number.isSafeInteger(value);
    const version = exact && /^\d+$/.test(String(value)) ? BigInt(value) : -1n;
    if (version >= 0n && version <= MAX_VERSION) return version;
    throw this.#wrong(`${origin}: ${value} is no version; it must be a whole number of at most 64 bits`);
  }

  #duplicate({ version, origin }: Draft, other: string): MigrationError {
    return this.#wrong(`version ${version} is there twice: in ${origin} and in ${other}`);
  }

  #wrong(message: string, cause?: unknown): MigrationError {
    const place = { connectionName: this.#connectionName, option: 'migrations_path' };
    return new MigrationError('DBM_MIGRATION_SOURCE', message, cause === undefined ? place : { ...place, cause });
  }
}

/** What is wrong with a migration in code; undefined when nothing is. */
function wrongInCode({ description, up, down, transaction, checksum }: CodeMigration): string | undefined {
  if (typeof up !== 'function') return 'no function `up`';
  if (down !== undefined && typeof down !== 'function') return 'a `down` that is no function';
  if (typeof description !== 'string') return 'no text for its `description`';
  if (transaction !== undefined && typeof transaction !== 'boolean') return 'a `transaction` that is not true or false';
  const kept = checksum === undefined || (typeof checksum === 'string' && checksum.length <= LONGEST_CHECKSUM);
  return kept ? undefined : `a \`checksum\` that is no text of at most ${LONGEST_CHECKSUM} characters`;
}

/** The same whatever line ends a checkout has. */
function checksumOf(text: string): string {
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
}
