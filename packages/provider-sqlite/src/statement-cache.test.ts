import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import type { SqliteDatabase } from './sqlite-driver.js';
import { StatementCache } from './statement-cache.js';

describe('StatementCache', () => {
  const database = new Database(':memory:');
  afterEach(() => {
    database.exec('DROP TABLE IF EXISTS t');
  });
  const cache = (size: number) => new StatementCache(database as unknown as SqliteDatabase, size);

  it('prepares a statement once', () => {
    const statements = cache(2);
    expect(statements.get('SELECT 1')).toBe(statements.get('SELECT 1'));
  });

  it('drops the least recently used statement when it is full', () => {
    const statements = cache(2);
    const [one, two] = [statements.get('SELECT 1'), statements.get('SELECT 2')];
    statements.get('SELECT 1');
    statements.get('SELECT 3');
    expect(statements.get('SELECT 1')).toBe(one);
    expect(statements.get('SELECT 2')).not.toBe(two);
  });

  it('keeps nothing when its size is 0, and no text of great length ever', () => {
    expect(cache(0).get('SELECT 1')).not.toBe(cache(0).get('SELECT 1'));
    const statements = cache(2);
    const long = `SELECT 1 -- ${'x'.repeat(20_000)}`;
    expect(statements.get(long)).not.toBe(statements.get(long));
  });

  it('tells queries from statements that change something', () => {
    database.exec('CREATE TABLE t (a)');
    const kinds = ['SELECT 1', 'INSERT INTO t VALUES (1) RETURNING a', 'DELETE FROM t', 'BEGIN'].map(
      (sql) => cache(1).get(sql).kind,
    );
    expect(kinds).toEqual(['query', 'returning', 'command', 'command']);
  });
});
