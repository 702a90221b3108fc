import { readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Whether the file holds this text; false when there is none. Line ends do not matter, which a checkout may change. */
export async function isUpToDate(file: string, text: string): Promise<boolean> {
  try {
    return (await readFile(file, 'utf8')).replaceAll('\r\n', '\n') === text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Writes the file, all of it or nothing; one that is up to date is not touched, so that who watches it is not woken. */
export async function writeTypes(file: string, text: string): Promise<void> {
  if (await isUpToDate(file, text)) return;
  const half = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(half, text);
    await rename(half, file);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}
