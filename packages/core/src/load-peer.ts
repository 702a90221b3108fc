import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
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
 * Throws `DBM_PACKAGE_NOT_INSTALLED`, naming the package, when it is in neither place, and `DBM_PACKAGE_VERSION` as
 * {@link resolvePeer} does; an error inside the package passes through.
 */
export function loadPeer<T>(packageName: string, from: string, needed: PeerRequest): T {
  const file = resolvePeer(packageName, from, needed);
  return createRequire(file)(file) as T;
}

/**
 * The file that {@link loadPeer} loads. Throws `DBM_PACKAGE_VERSION` when the installed version is outside the range that
 * the asking package has in its `peerDependencies`.
 */
export function resolvePeer(packageName: string, from: string, needed: PeerRequest): string {
  const key = `${packageName}\n${from}`;
  const known = resolved.get(key);
  if (known !== undefined) return known;
  const file = locate(packageName, from, needed);
  assertTested(nameOf(packageName), file, from, needed);
  resolved.set(key, file);
  return file;
}

/** By what was asked for and by whom: what is installed does not change while a process runs. */
const resolved = new Map<string, string>();

function locate(packageName: string, from: string, { by, connectionName }: PeerRequest): string {
  for (const base of [from, pathToFileURL(`${process.cwd()}/`).href]) {
    try {
      return createRequire(base).resolve(packageName);
    } catch {
      // not installed there; the next place, or the error below
    }
  }
  throw new DbManagerError(
    'DBM_PACKAGE_NOT_INSTALLED',
    `${by} needs the package "${packageName}"; install it: npm install ${nameOf(packageName)}`,
    { connectionName },
  );
}

function assertTested(name: string, file: string, from: string, { by, connectionName }: PeerRequest): void {
  const range = manifestAbove(from)?.peerDependencies?.[name];
  const version = manifestAbove(file, name)?.version;
  if (range === undefined || version === undefined || isInRange(version, range) !== false) return;
  throw new DbManagerError(
    'DBM_PACKAGE_VERSION',
    `${by} is tested with ${name} ${range}, and ${version} is installed; install such a version: npm install "${name}@${range}"`,
    { connectionName },
  );
}

/** What is read of a package.json. */
interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** The package.json that a module, by its URL or path, belongs to: the nearest, or the nearest of that name. */
function manifestAbove(module: string, name?: string): Manifest | undefined {
  const path = module.startsWith('file:') ? fileURLToPath(module) : module;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    const manifest = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Manifest) : undefined;
    if (manifest !== undefined && (name === undefined || manifest.name === name)) return manifest;
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * Whether a version is of a range as our own package.json files have it: `>=1.2`, `>=1.2 <3`. A pre-release counts as its
 * release. One that is written in another way is not checked: undefined.
 */
export function isInRange(version: string, range: string): boolean | undefined {
  const bounds = range.split(' ').map((bound) => BOUND.exec(bound));
  if (bounds.includes(null)) return undefined;
  return bounds.every((bound) => {
    const difference = compareVersions(version, bound?.[2] ?? '');
    return bound?.[1] === '<' ? difference < 0 : difference >= 0;
  });
}

const BOUND = /^(>=|<)(\d+(?:\.\d+)*)$/;

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => (version.split('-', 1)[0] ?? '').split('.').map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The package that a module is of: `@scope/name/part` is of `@scope/name`. */
function nameOf(module: string): string {
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/');
}
