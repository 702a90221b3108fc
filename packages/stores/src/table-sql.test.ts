import { describe, expect, it } from '@jest/globals';
import { dialectOf } from './dialect-of.js';
import { STORE_TABLES } from './store-tables.js';
import { checkPrefix, createStatements } from './table-sql.js';

/** What PostgreSQL cuts names to. */
const MAX_NAME = 63;

describe('The SQL of tables', () => {
  it.each(['', 'app_', '_', 'a1'])('takes "%s" for a prefix', (prefix) => {
    expect(checkPrefix(prefix)).toBe(prefix);
  });

  it.each(['App_', '1a', 'a-b', 'a b', 'a;drop table users', 'a.b', '"', 'ä', 'x'.repeat(21), 7, undefined])(
    'refuses a prefix that statements cannot hold (%#)',
    (prefix) => {
      expect(() => checkPrefix(prefix, 'main')).toThrow(
        expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'prefix', connectionName: 'main' }),
      );
    },
  );

  it('has no name that is cut, under the longest prefix', () => {
    const prefix = 'x'.repeat(20);
    const statements = STORE_TABLES.flatMap((table) => createStatements(dialectOf('postgres'), prefix, table));
    const names = statements.flatMap((sql) => sql.match(/\w+/g) ?? []);
    expect(names.filter((name) => name.length > MAX_NAME)).toEqual([]);
  });

  it('refuses a type that has no SQL we know', () => {
    expect(() => dialectOf('mongodb', 'main')).toThrow(
      expect.objectContaining({ code: 'DBM_UNSUPPORTED', connectionName: 'main' }),
    );
  });
});
