import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BridgeTarget, DbManagerError, errorCode, type SqlDialect, suggestion } from '@dbmanager/core';
import { NamedSql } from '@dbmanager/database';
import { prepareFiles } from './prepare-files.js';
import type { QueryName, QueryShapes, QueryValues } from './query-shapes.js';
import { isProblem, readSqlFile, type SqlFile } from './sql-file.js';
import { type SqlFileProblem, SqlFilesError } from './sql-files-error.js';
import { COMMON, isQueryName, listFolder } from './sql-folder.js';

/** What {@link SqlFiles} are read from, and for whom. */
export interface SqlFilesOptions {
  /** The folder, in which there is one for each type of database and `common`. */
  readonly path: string;
  /** The type of the database. */
  readonly type: string;
  readonly dialect: SqlDialect;
  /** For errors. */
  readonly connectionName?: string | undefined;
  /** Read a file whenever it is asked for. Default: false, all are read once. */
  readonly reload?: boolean | undefined;
}

/**
 * The statements that one type of database finds in a folder: those of its own, of types akin to it, and the common ones, in
 * this order. They are read at once, when first needed, so that what is wrong with any of them is known then.
 *
 * ```ts
 * const files = mgr.get('primary').sqlFiles();
 * const user = await db.queryOne<User>(files.statement('users/by-id', { id: 7 }));
 * ```
 *
 * Every method throws `SqlFilesError` (`DBM_SQL_FILES`), with all problems, when the files are wrong.
 */
export class SqlFiles<Q extends QueryShapes = object> {
  /** The folders that are looked into, nearest first. */
  readonly folders: readonly string[];
  readonly path: string;
  readonly #options: SqlFilesOptions;
  #files: ReadonlyMap<string, SqlFile> | undefined;

  constructor(options: SqlFilesOptions) {
    const { path, type, dialect } = options;
    this.path = path;
    this.folders = [type, ...(dialect.akin ?? []), COMMON];
    this.#options = options;
  }

  /** Reads all files anew. When any is wrong, what had been read before stays. */
  load(): void {
    const { files, problems } = this.survey();
    if (problems.length > 0) throw new SqlFilesError(problems, this.#options.connectionName);
    this.#files = files;
  }

  /** Reads all files unless they have been read; gives what is wrong rather than throwing it. */
  read(): readonly SqlFileProblem[] {
    if (this.#files !== undefined) return [];
    const { files, problems } = this.survey();
    if (problems.length === 0) this.#files = files;
    return problems;
  }

  /** Reads all files and tells what is wrong with them; throws for none, and keeps nothing. */
  survey(): { readonly files: ReadonlyMap<string, SqlFile>; readonly problems: readonly SqlFileProblem[] } {
    const { places, problems } = this.#list();
    const files = new Map<string, SqlFile>();
    for (const [name, place] of places) {
      const file = this.#read(name, place);
      if (isProblem(file)) problems.push(file);
      else files.set(name, file);
    }
    return { files, problems };
  }

  /** The names there are, in order. */
  names(): string[] {
    return [...(this.#options.reload === true ? this.#listed() : this.#loaded()).keys()].sort();
  }

  /**
   * The statement of that name, read. Throws `DBM_UNKNOWN_QUERY` when there is none, `DBM_INVALID_OPTION` for what cannot be a name: one
   * that would lead out of the folder, say.
   */
  get(name: QueryName<Q>): SqlFile {
    const { connectionName } = this.#options;
    if (!isQueryName(name)) {
      throw new DbManagerError('DBM_INVALID_OPTION', `${JSON.stringify(name)} is no name of a query`, {
        connectionName,
        option: 'name',
      });
    }
    if (this.#options.reload !== true) return this.#loaded().get(name) ?? this.#unknown(name, this.#loaded().keys());
    const places = this.#listed();
    const file = this.#read(name, places.get(name) ?? this.#unknown(name, places.keys()));
    if (isProblem(file)) throw new SqlFilesError([file], connectionName);
    return file;
  }

  /** The text of a statement, as it is in the file: for `prepare()`, or an ORM. Throws as {@link get} does. */
  text(name: QueryName<Q>): string {
    return this.get(name).sql;
  }

  /** A statement with its values, for every method of a database or transaction that takes one. Throws as {@link get} does. */
  statement<N extends QueryName<Q>>(name: N, ...[values]: QueryValues<Q, N>): NamedSql {
    return new NamedSql(this.get(name).sql, values ?? {}, name);
  }

  /**
   * Has the database of `target` read every statement without running any: `DBM_SYNTAX`, say, for a table that there is not.
   * False for those that the engine cannot be asked about. One connection is borrowed; rejects with what that is refused with, and with
   * `DBM_ABORTED`.
   */
  async prepareAll(target: BridgeTarget, signal?: AbortSignal): Promise<Map<string, boolean | Error>> {
    const files = this.#options.reload === true ? this.survey().files : this.#loaded();
    return prepareFiles([...files.values()], target, signal);
  }

  #loaded(): ReadonlyMap<string, SqlFile> {
    if (this.#files === undefined) this.load();
    return this.#files as ReadonlyMap<string, SqlFile>;
  }

  /** Where the files are; throws when a folder is wrong. */
  #listed(): ReadonlyMap<string, string> {
    const { places, problems } = this.#list();
    if (problems.length > 0) throw new SqlFilesError(problems, this.#options.connectionName);
    return places;
  }

  #list(): { readonly places: Map<string, string>; readonly problems: SqlFileProblem[] } {
    const places = new Map<string, string>();
    const problems = strays(this.path);
    if (problems.length > 0) return { places, problems };
    for (const folder of this.folders) {
      const found = listFolder(this.path, folder);
      problems.push(...found.problems);
      for (const [name, file] of found.files) if (!places.has(name)) places.set(name, file);
    }
    return { places, problems };
  }

  #read(name: string, file: string): SqlFile | SqlFileProblem {
    return readSqlFile(name, file, this.#options.dialect);
  }

  #unknown(name: string, names: Iterable<string>): never {
    const looked = this.folders.map((folder) => join(folder, `${name}.sql`)).join(', ');
    throw new DbManagerError(
      'DBM_UNKNOWN_QUERY',
      `there is no query "${name}": none of ${looked} is in ${this.path}${suggestion(name, names)}`,
      { connectionName: this.#options.connectionName },
    );
  }
}

/** Files beside the folders of the engines, which no engine would find; the folder itself when it cannot be read. */
function strays(path: string): SqlFileProblem[] {
  try {
    const names = readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.toLowerCase().endsWith('.sql'))
      .map(({ name }) => join(path, name));
    return names.map((file) => ({
      file,
      line: undefined,
      message: `stands beside the folders; move it into ${COMMON}`,
    }));
  } catch (error) {
    return [
      { file: path, line: undefined, message: `the folder of the statements cannot be read (${errorCode(error)})` },
    ];
  }
}
