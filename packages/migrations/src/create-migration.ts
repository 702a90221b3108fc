import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DbManagerError } from '@dbmanager/core';

/** In bytes: a file name of 255 begins with the version, and ends in which way it leads. */
const LONGEST_SLUG = 200;

/** The two files of a new migration. */
export interface CreatedMigration {
  readonly version: bigint;
  readonly up: string;
  readonly down: string;
}

/**
 * Writes `<version>_<title>.up.sql` and `.down.sql`, making the folder when there is none. The version is the time in UTC to
 * the second, as golang-migrate has it; one that is taken is counted up, and no file is ever overwritten. Rejects with
 * `DBM_INVALID_OPTION` for a title with nothing in it that a file name holds, or too much.
 */
export async function createMigration(path: string, title: string, now: Date = new Date()): Promise<CreatedMigration> {
  const slug = slugOf(title);
  if (slug === '') {
    throw new DbManagerError('DBM_INVALID_OPTION', `"${title}" is no title of a migration`, { option: 'title' });
  }
  await mkdir(path, { recursive: true });
  for (let version = timestamp(now); ; version++) {
    const created = await claim(path, version, slug);
    if (created !== undefined) return created;
  }
}

/** What a file name holds of a title; empty when that is nothing, or more than it can. */
function slugOf(title: string): string {
  if (typeof title !== 'string') return '';
  const slug = title
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '');
  return Buffer.byteLength(slug) > LONGEST_SLUG ? '' : slug;
}

/** 20260131120000 */
function timestamp(now: Date): bigint {
  return BigInt(now.toISOString().replaceAll(/\D/g, '').slice(0, 14));
}

/** Writes both files; undefined when the version is taken. The lock file lets one of several processes have it. */
async function claim(path: string, version: bigint, slug: string): Promise<CreatedMigration | undefined> {
  const lock = join(path, `.${version}.lock`);
  if (!(await write(lock, ''))) return undefined;
  try {
    const taken = (await readdir(path)).some((name) => name.startsWith(`${version}_`));
    if (taken) return undefined;
    const up = join(path, `${version}_${slug}.up.sql`);
    const down = join(path, `${version}_${slug}.down.sql`);
    await write(up, `-- ${slug}: up\n`);
    await write(down, `-- ${slug}: down\n`);
    return { version, up, down };
  } finally {
    await rm(lock, { force: true });
  }
}

/** Writes a new file; false when there is one. */
async function write(file: string, text: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(text);
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
