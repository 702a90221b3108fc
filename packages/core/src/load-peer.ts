import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { DbManagerError } from './errors.js';

/**
 * Loads an optional peer dependency, synchronously, when it is first needed. It is looked for beside the package that
 * asks (`from`, its `import.meta.url`) and then from the working directory.
 *
 * Rejects with `DBM_PACKAGE_NOT_INSTALLED`, naming the package, when it is in neither place; an error inside the
 * package passes through.
 */
export function loadPeer<T>(packageName: string, from: string, needed: { by: string; connectionName?: string }): T {
  for (const base of [from, pathToFileURL(`${process.cwd()}/`).href]) {
    const require = createRequire(base);
    let file: string;
    try {
      file = require.resolve(packageName);
    } catch {
      continue; // not installed there; the next place, or the error below
    }
    return require(file) as T;
  }
  throw new DbManagerError(
    'DBM_PACKAGE_NOT_INSTALLED',
    `${needed.by} needs the package "${packageName}"; install it: npm install ${packageName
      .split('/')
      .slice(0, packageName.startsWith('@') ? 2 : 1)
      .join('/')}`,
    { connectionName: needed.connectionName },
  );
}
