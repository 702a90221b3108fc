import { DbManagerError } from '@dbmanager/core';

/** What is wrong with a file, or a folder, of statements. */
export interface SqlFileProblem {
  readonly file: string;
  /** From 1; undefined when it is about the file as a whole. */
  readonly line: number | undefined;
  readonly message: string;
}

/** Files of statements that cannot be used. Code `DBM_SQL_FILES`. */
export class SqlFilesError extends DbManagerError {
  /** All of them, each once, by file. */
  readonly problems: readonly SqlFileProblem[];

  constructor(problems: readonly SqlFileProblem[], connectionName?: string) {
    const sorted = sortProblems(problems);
    const list = sorted.map((problem) => `\n  ${describeProblem(problem)}`).join('');
    super('DBM_SQL_FILES', `the files of statements are wrong:${list}`, { connectionName, option: 'sql_path' });
    this.problems = sorted;
  }
}

/** `file:line: what is wrong`. */
export function describeProblem({ file, line, message }: SqlFileProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${message}`;
}

/** By file and line, each once: engines that share a file find the same in it. */
export function sortProblems(problems: readonly SqlFileProblem[]): SqlFileProblem[] {
  const once = new Map(problems.map((problem) => [describeProblem(problem), problem]));
  const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));
  return [...once.values()].sort((a, b) => compare(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0));
}
