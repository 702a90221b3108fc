import { tokenize } from '../tsql/lexer.js';
import { TokenCursor } from '../tsql/token-cursor.js';

/** The parts of a name such as `[dbo].[t]`. */
export function nameParts(name: string): string[] {
  return new TokenCursor(tokenize(name)).qualifiedName();
}

/** The name by which OBJECT_ID finds an object: its schema and its name, in small letters. */
export function objectKey(parts: readonly string[]): string {
  const [name = '', schema = 'dbo'] = [...parts].reverse();
  return `${schema}.${name}`.toLowerCase();
}

/** The id of the object of that key (FNV-1a): the same one each time. */
export function objectId(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash & 0x7fffffff;
}

/** A name for a constraint that has been given none, as SQL Server makes them up. */
export function madeUpName(prefix: string, table: string, ...parts: readonly string[]): string {
  const hash = objectId([prefix, table, ...parts].join('|'))
    .toString(16)
    .toUpperCase()
    .padStart(8, '0');
  return [prefix, table.slice(0, 9), ...parts.slice(0, 1).map((part) => part.slice(0, 5)), hash].join('__');
}
