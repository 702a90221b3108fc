import { quoted, tableName } from '../tsql/sqlite-names.js';
import type { ResolvedTable } from '../tsql/translation.js';
import type { Session } from './session.js';

/** The table that a name means in a batch of a session: a table variable, a temporary table, or one of the database. */
export function resolveTable(session: Session, parts: readonly string[]): ResolvedTable {
  const [name = '', schema = 'dbo'] = [...parts].reverse();
  if (name.startsWith('@') || name.startsWith('#')) {
    return {
      sqlName: `temp.${quoted(name)}`,
      temporary: true,
      definition: session.temporary.find(name, session.current),
    };
  }
  const definition = session.current.catalog.find([schema, name])?.definition;
  return { sqlName: quoted(tableName(schema, name)), temporary: false, definition };
}
