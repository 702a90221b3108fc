import { readFileSync } from 'node:fs';
import { errorCode, type SqlDialect } from '@dbmanager/core';
import { rewriteNames, splitStatements, transactionControl } from '@dbmanager/database';
import type { SqlFileProblem } from './sql-files-error.js';

/** A statement in a file. */
export interface SqlFile {
  /** `users/by-id`. */
  readonly name: string;
  readonly file: string;
  /** The statement with its comments, without a semicolon at its end. Lines end in line feeds, whatever the checkout has. */
  readonly sql: string;
  /** The names of its parameters, each once, in the order in which they come. */
  readonly parameters: readonly string[];
  /** The file says that other engines need none of this name. */
  readonly onlyHere: boolean;
}

/** A line that says that other engines need no such file. */
const ONLY_HERE = /^[ \t]*--[ \t]*dbmanager:[ \t]*only-here[ \t]*$/m;

/** Reads a file as an engine of this dialect would read the statement in it. */
export function readSqlFile(name: string, file: string, dialect: SqlDialect): SqlFile | SqlFileProblem {
  const wrong = (message: string, line?: number): SqlFileProblem => ({ file, line, message });
  const text = readText(file);
  if (typeof text !== 'string') return wrong(text.message);
  const { lexis = {}, placeholders } = dialect;
  const [first, second] = splitStatements(text, lexis);
  if (first === undefined) return wrong('holds no statement');
  // Where semicolons are optional, a text of several statements is one batch.
  const isBatch = lexis.semicolons === 'optional';
  if (second !== undefined && !isBatch) return wrong('a second statement begins here; a file holds one', second.line);
  const sql = isBatch ? text.trim() : first.sql;
  const control = transactionControl(sql, lexis);
  if (control !== undefined)
    return wrong(`${control} is not for a file; transaction() begins and ends one`, first.line);
  const { names, unnamed } = rewriteNames(sql, lexis, placeholders);
  if (unnamed !== undefined) return wrong(`has the parameter ${unnamed}; give it a name, as in :id`, first.line);
  return { name, file, sql, parameters: [...new Set(names)], onlyHere: ONLY_HERE.test(text) };
}

/** True for what {@link readSqlFile} found wrong. */
export function isProblem(file: SqlFile | SqlFileProblem): file is SqlFileProblem {
  return 'message' in file;
}

/** The text without a byte order mark; what is wrong when it is none. */
function readText(file: string): string | { readonly message: string } {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    return { message: `cannot be read (${errorCode(error)})` };
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? { message: 'is not text in UTF-8' } : text.replaceAll('\r\n', '\n');
  } catch {
    return { message: 'is not text in UTF-8' };
  }
}
