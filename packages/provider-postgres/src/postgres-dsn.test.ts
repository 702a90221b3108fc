import { describe, expect, it } from '@jest/globals';
import { parsePostgresDsn } from './postgres-dsn.js';

describe('parsePostgresDsn', () => {
  it.each([
    [
      'postgres://app:s3cret@db.internal:6432/orders?sslmode=require&application_name=web',
      {
        user: 'app',
        password: 's3cret',
        host: 'db.internal',
        port: '6432',
        dbname: 'orders',
        sslmode: 'require',
        application_name: 'web',
      },
    ],
    ['postgresql://app@h', { user: 'app', host: 'h' }],
    ['postgres://', {}],
    ['postgres:///db', { dbname: 'db' }],
    ['postgres://u@/db', { user: 'u', dbname: 'db' }],
    ['postgres://u@a:1,b,[::1]:3/db', { user: 'u', host: 'a,b,::1', port: '1,,3', dbname: 'db' }],
    ['postgres://u@[::1]/db', { user: 'u', host: '::1', dbname: 'db' }],
    ['postgres://u@%2Fvar%2Frun/db', { user: 'u', host: '/var/run', dbname: 'db' }],
    ['postgres://u:p%40ss%20w%2F%27%22@h/d%20b', { user: 'u', password: `p@ss w/'"`, host: 'h', dbname: 'd b' }],
    ['postgres://u:p@ss:w%2F@h', { user: 'u', password: 'p@ss:w/', host: 'h' }],
    ['postgres://u:a+b@h/?options=-c%20geqo%3Doff', { user: 'u', password: 'a+b', host: 'h', options: '-c geqo=off' }],
    ['postgres://h/db?user=u&password=a%26b', { user: 'u', password: 'a&b', host: 'h', dbname: 'db' }],
    ['host=h port=6432 user=u dbname=db', { host: 'h', port: '6432', user: 'u', dbname: 'db' }],
    ['host = a,b  port = 1,2', { host: 'a,b', port: '1,2' }],
    [`user=u password='p@ss w/\\'"' host=h`, { user: 'u', password: `p@ss w/'"`, host: 'h' }],
    [`password=back\\\\slash\\ blank`, { password: 'back\\slash blank' }],
    [`user=u password=''`, { user: 'u' }],
  ])('reads %s', (dsn, expected) => {
    expect(parsePostgresDsn(dsn)).toEqual(expected);
  });

  it.each([
    ['another scheme', 'mysql://u:hunter2@h/db', /postgres:\/\/user/],
    ['nothing that is a DSN', 'hunter2', /neither a postgres:\/\/ URL nor/],
    ['a broken percent', 'postgres://u:hunter2%zz@h', /the password is not percent-encoded/],
    ['an unknown parameter', 'postgres://u@h/db?hunter2=1', /parameter 1 is not known; these are: host, port/],
    ['an unknown word', 'user=u secret=hunter2', /word 2 is not known/],
    ['words that end', `user=u password='hunter2`, /after word 1/],
    ['a timeout that belongs elsewhere', 'postgres://u:hunter2@h?connect_timeout=3', /connect_timeout: 10s/],
  ])('refuses %s without showing anything of it', (_, dsn, message) => {
    let error: unknown;
    try {
      parsePostgresDsn(dsn);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'dsn', message: expect.stringMatching(message) });
    expect(String((error as Error).stack)).not.toContain('hunter2');
    expect((error as Error).cause).toBeUndefined();
  });
});
