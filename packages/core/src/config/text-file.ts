import { readFileSync } from 'node:fs';

/** `text` without the one newline that editors put at the end of a file. */
export function withoutFinalNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** The text of a file on disk, for secrets. */
export function readTextFile(path: string): string {
  return readFileSync(path, 'utf8');
}

/** Why reading a file failed, without its content: `ENOENT`. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
