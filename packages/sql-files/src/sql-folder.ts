import { type Dirent, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { errorCode } from '@dbmanager/core';
import type { SqlFileProblem } from './sql-files-error.js';

/** The folder for what every engine takes. */
export const COMMON = 'common';

const SUFFIX = '.sql';
const PART = '[A-Za-z0-9_][A-Za-z0-9_-]*(?:\\.[A-Za-z0-9_-]+)*';
const NAME_PART = new RegExp(`^${PART}$`);
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);

/** Whether `name` can be that of a statement: `users/by-id`. None that can leads out of its folder. */
export function isQueryName(name: string): boolean {
  return NAME.test(name);
}

/** What is in the folder of one engine, or the common one. */
export interface SqlFolder {
  /** Files by the name of their statement. */
  readonly files: ReadonlyMap<string, string>;
  readonly problems: readonly SqlFileProblem[];
}

/**
 * The files of `folder` and of those in it, by name: `users/by-id.sql` is `users/by-id`. What begins with a dot or ends in
 * something else than `.sql` is passed over. Links are followed inside `root`, and a problem where they lead out of it. A
 * folder that is not there is empty.
 */
export function listFolder(root: string, folder: string): SqlFolder {
  const walk = new FolderWalk(realpathSync(root));
  walk.enter(join(root, folder), '');
  return walk;
}

class FolderWalk implements SqlFolder {
  readonly files = new Map<string, string>();
  readonly problems: SqlFileProblem[] = [];
  readonly #root: string;
  /** Folders that the walk is inside of, by their real paths. */
  readonly #inside = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  enter(path: string, prefix: string): void {
    const real = this.#resolve(path, prefix === '');
    if (real === undefined) return;
    if (this.#inside.has(real)) {
      this.#wrong(path, 'is a link that leads back into itself');
      return;
    }
    this.#inside.add(real);
    for (const entry of this.#entries(path)) this.#visit(entry, join(path, entry.name), prefix);
    this.#inside.delete(real);
  }

  #visit(entry: Dirent, path: string, prefix: string): void {
    if (entry.name.startsWith('.')) return;
    const kind = entry.isSymbolicLink() ? this.#target(path) : entry;
    if (kind?.isDirectory() === true) this.#visitFolder(entry.name, path, prefix);
    else if (kind?.isFile() === true && entry.name.toLowerCase().endsWith(SUFFIX)) this.#add(entry.name, path, prefix);
  }

  #visitFolder(name: string, path: string, prefix: string): void {
    if (NAME_PART.test(name)) this.enter(path, `${prefix}${name}/`);
    else this.#wrong(path, 'is no name; write letters, digits, "_", "-" and "."');
  }

  #add(name: string, path: string, prefix: string): void {
    const stem = name.slice(0, -SUFFIX.length);
    if (!name.endsWith(SUFFIX) || !NAME_PART.test(stem)) {
      this.#wrong(path, 'is no name; write letters, digits, "_", "-" and ".", and end it in .sql');
    } else if (this.#resolve(path, false) !== undefined) this.files.set(prefix + stem, path);
  }

  /** What a link leads to. */
  #target(path: string): Stats | undefined {
    try {
      return statSync(path);
    } catch (error) {
      this.#wrong(path, `is a link that leads nowhere (${errorCode(error)})`);
      return undefined;
    }
  }

  /** The real path of what lies inside the root; undefined, with a problem, for the rest. */
  #resolve(path: string, mayBeMissing: boolean): string | undefined {
    try {
      const real = realpathSync(path);
      if (real.startsWith(this.#root.endsWith(sep) ? this.#root : this.#root + sep)) return real;
      this.#wrong(path, 'leads out of the folder of the statements');
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'ENOENT' || !mayBeMissing) this.#wrong(path, `cannot be read (${code})`);
    }
    return undefined;
  }

  #entries(path: string): Dirent[] {
    try {
      return readdirSync(path, { withFileTypes: true });
    } catch (error) {
      this.#wrong(path, `cannot be read (${errorCode(error)})`);
      return [];
    }
  }

  #wrong(file: string, message: string): void {
    this.problems.push({ file, line: undefined, message });
  }
}
