import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { DbManagerError } from './errors.js';

/** Who asks for a package, for the error. */
export interface PeerRequest {
  /** What needs it: `the Knex bridge`. */
  readonly by: string;
  readonly connectionName?: string | undefined;
}

/**
 * Loads an optional peer dependency, synchronously, when it is first needed. It is looked for beside the package that
 * asks (`from`, its `import.meta.url`) and then from the working directory.
 *
 * Throws `DBM_PACKAGE_NOT_INSTALLED`, naming the package, when it is in neither place; an error inside the package passes
 * through.
 */
export function loadPeer<T>(packageName: string, from: string, needed: PeerRequest): T {
  const file = resolvePeer(packageName, from, needed);
  return createRequire(file)(file) as T;
}

/** The file that {@link loadPeer} loads. */
export function resolvePeer(packageName: string, from: string, { by, connectionName }: PeerRequest): string {
  for (const base of [from, pathToFileURL(`${process.cwd()}/`).href]) {
    try {
      return createRequire(base).resolve(packageName);
    } catch {
      // not installed there; the next place, or the error below
    }
  }
  const name = packageName
    .split('/')
    .slice(0, packageName.startsWith('@') ? 2 : 1)
    .join('/');
  throw new DbManagerError(
    'DBM_PACKAGE_NOT_INSTALLED',
    `${by} needs the package "${packageName}"; install it: npm install ${name}`,
    { connectionName },
  );
}
