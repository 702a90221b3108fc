import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type SqlDialect, suggestion } from '@dbmanager/core';
import type { SqlFile } from './sql-file.js';
import { SqlFiles } from './sql-files.js';
import { type SqlFileProblem, sortProblems } from './sql-files-error.js';
import { COMMON } from './sql-folder.js';

/** A type of database that there is, as far as files of statements go. */
export interface SqlType {
  readonly type: string;
  readonly aliases?: readonly string[] | undefined;
  /** Undefined for one that is no SQL database. */
  readonly dialect?: SqlDialect | undefined;
}

/** The statements of a folder, as each engine finds them. */
export interface SqlComparison {
  /** Every name that an engine knows, in order. */
  readonly names: readonly string[];
  /** What each engine finds under each name, by type: those of connections first, then those that only have a folder. */
  readonly engines: ReadonlyMap<string, ReadonlyMap<string, SqlFile>>;
  /** What is wrong with single files and folders. */
  readonly faults: readonly SqlFileProblem[];
  /** What one engine has and another has not, or with other parameters: code that runs on one would fail on the other. */
  readonly differences: readonly SqlFileProblem[];
}

/**
 * Reads a folder of statements as each engine would: those of the types `used`, and all that have a folder of their own in it.
 * What is wrong is in the result; throws for none.
 *
 * @param known every type there is: a folder of another name belongs to none
 */
export function compareEngines(path: string, used: readonly string[], known: readonly SqlType[]): SqlComparison {
  const folders = foldersIn(path);
  const faults = folders.flatMap((folder) => unknownFolder(path, folder, known));
  const types = [...new Set([...used, ...folders])].flatMap((name) => known.filter(({ type }) => type === name));
  const engines = new Map<string, ReadonlyMap<string, SqlFile>>();
  const places = new Map<string, readonly string[]>();
  for (const { type, dialect } of types) {
    if (dialect === undefined) continue;
    const all = new SqlFiles({ path, type, dialect });
    const { files, problems } = all.survey();
    engines.set(type, files);
    places.set(type, all.folders);
    faults.push(...problems);
  }
  const broken = new Set(faults.map(({ file }) => file));
  /** Whether an engine would have found a file, had it not been wrong. */
  const isBroken = (type: string, name: string) =>
    places.get(type)?.some((folder) => broken.has(join(path, folder, `${name}.sql`))) === true;
  const names = [...new Set([...engines.values()].flatMap((files) => [...files.keys()]))].sort();
  const differences = names.flatMap((name) => [
    ...missing(path, name, engines).filter(({ type }) => !isBroken(type, name)),
    ...otherParameters(name, engines),
  ]);
  return { names, engines, faults: sortProblems(faults), differences: sortProblems(differences) };
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => !entry.name.startsWith('.') && (entry.isDirectory() || entry.isSymbolicLink()))
      .map(({ name }) => name)
      .sort();
  } catch {
    return []; // reading the files tells why
  }
}

function unknownFolder(path: string, folder: string, known: readonly SqlType[]): SqlFileProblem[] {
  const wrong = (message: string) => [{ file: join(path, folder), line: undefined, message }];
  if (folder === COMMON || known.some(({ type, dialect }) => type === folder && dialect !== undefined)) return [];
  const named = known.find(({ aliases = [] }) => aliases.includes(folder));
  if (named !== undefined) return wrong(`is looked into by none; call it ${named.type}`);
  const names = [COMMON, ...known.filter(({ dialect }) => dialect !== undefined).map(({ type }) => type)];
  return wrong(`is the folder of no type of SQL database${suggestion(folder, names)}`);
}

/** Which engines lack a query that others have, unless all that have it say that it is theirs alone. */
function missing(
  path: string,
  name: string,
  engines: SqlComparison['engines'],
): (SqlFileProblem & { readonly type: string })[] {
  const having = [...engines.values()].flatMap((files) => files.get(name) ?? []);
  const [example] = having;
  if (example === undefined || having.every(({ onlyHere }) => onlyHere)) return [];
  return [...engines].flatMap(([type, files]) => {
    if (files.has(name)) return [];
    const message = `${type} has no such query: write ${join(path, type, `${name}.sql`)}`;
    return { type, file: example.file, line: undefined, message };
  });
}

function otherParameters(name: string, engines: SqlComparison['engines']): SqlFileProblem[] {
  const [first, ...others] = [...engines.values()].flatMap((files) => files.get(name) ?? []);
  if (first === undefined) return [];
  return others
    .filter((file) => listed(file) !== listed(first))
    .map((file) => ({
      file: file.file,
      line: undefined,
      message: `has ${listed(file)}, and ${first.file} has ${listed(first)}`,
    }));
}

function listed({ parameters }: SqlFile): string {
  const names = [...parameters].sort().map((name) => `:${name}`);
  return names.length === 0 ? 'no parameters' : `the parameters ${names.join(', ')}`;
}
