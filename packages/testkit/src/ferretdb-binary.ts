import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The last one that brings its own storage; later ones need PostgreSQL with an extension. */
const VERSION = 'v1.24.0';
const MODULE = 'github.com/FerretDB/FerretDB';

/** Where the built program is kept, outside of the work tree. */
export function ferretdbBinary(): string {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'dbmanager', `ferretdb-${VERSION}`);
}

/** Why no FerretDB can be started here; undefined when one can. */
export function ferretdbMissing(): string | undefined {
  if (existsSync(ferretdbBinary())) return undefined;
  return 'FerretDB is not built (npm run build && node scripts/build-ferretdb.js, which needs Go)';
}

/**
 * Builds FerretDB with the Go toolchain from the Go module proxy, unless that was done before: some two minutes. Gives the
 * path of the program. `go install` would do for the code, but what it makes refuses to start: FerretDB wants its version in a
 * file that its module leaves out.
 */
export async function buildFerretdb(): Promise<string> {
  const binary = ferretdbBinary();
  if (existsSync(binary)) return binary;
  const folder = await mkdtemp(join(tmpdir(), 'dbmanager-ferretdb-build-'));
  try {
    // Not the settings of this project: another module, and no repository around it.
    const env = { ...process.env, GOFLAGS: '', GOWORK: 'off' };
    const { stdout } = await run('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], { cwd: folder, env });
    const source = join(folder, 'source');
    await cp((JSON.parse(stdout) as { Dir: string }).Dir, source, { recursive: true });
    // What the module cache holds cannot be written to.
    await run('chmod', ['-R', 'u+w', source]);
    await writeFile(join(source, 'build', 'version', 'version.txt'), VERSION);
    const built = join(folder, 'ferretdb');
    await run('go', ['build', '-trimpath', '-buildvcs=false', '-o', built, './cmd/ferretdb'], { cwd: source, env });
    await mkdir(join(binary, '..'), { recursive: true });
    // In its place at once or not at all; across file systems by way of a neighbour.
    await cp(built, `${binary}.${process.pid}`);
    await rename(`${binary}.${process.pid}`, binary);
    return binary;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
