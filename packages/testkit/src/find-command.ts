import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where distributions put servers, besides the PATH. */
const FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin', '/usr/libexec', '/usr/bin'];

/** The path of a command of the system; undefined when it is not installed. */
export function findCommand(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...FOLDERS];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
