import { Secret } from '@dbmanager/core';
import { type TestOptions, testConfig } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import type { MysqlOptions } from './mysql-options.js';
import { mysqlProvider } from './mysql-provider.js';
import { checkTarget, quoteIdentifier, resolveTarget } from './mysql-target.js';

const config = (options: TestOptions<MysqlOptions>) => testConfig(mysqlProvider, options, 'primary');

describe('where to connect', () => {
  it('has defaults for all but the user', () => {
    expect(resolveTarget(config({ user: 'app' }))).toEqual({
      host: 'localhost',
      port: 3306,
      user: 'app',
      sslMode: 'prefer',
      charset: 'utf8mb4_unicode_ci',
      timezone: 'Z',
      applicationName: 'dbmanager:primary',
      statementCacheSize: 100,
      multipleStatements: false,
    });
  });

  it('takes what the DSN says before the parts, and the parts for what it leaves out', () => {
    const dsn = new Secret('mysql://other:p%40ss@db:3307/orders?ssl-mode=REQUIRED');
    const target = resolveTarget(
      config({ dsn, user: 'app', host: 'elsewhere', charset: 'latin1', timezone: '+01:00' }),
    );
    expect(target).toMatchObject({
      host: 'db',
      port: 3307,
      user: 'other',
      database: 'orders',
      sslMode: 'require',
      charset: 'latin1',
      timezone: '+01:00',
    });
    expect(target.password?.reveal()).toBe('p@ss');
  });

  it.each<[string, TestOptions<MysqlOptions>, string, RegExp]>([
    ['no user', {}, 'user', /a user is needed/],
    ['no user in the DSN', { dsn: new Secret('mysql://h/d') }, 'dsn', /a user is needed/],
    ['half a client certificate', { user: 'u', sslcert: '/c' }, 'sslcert', /go together/],
    ['a URL for a host', { user: 'u', host: 'mysql://h' }, 'host', /no host name/],
    ['a port out of range in the DSN', { dsn: new Secret('mysql://u@h:70000/d') }, 'dsn', /between 1 and 65535/],
    ['a mode of TLS that there is not', { dsn: new Secret('mysql://u@h/?sslmode=some') }, 'dsn', /must be one of/],
    ['a host to verify on a socket', { user: 'u', host: '/s', sslmode: 'verify-full' }, 'sslmode', /Unix socket/],
    ['a time zone by name', { user: 'u', timezone: 'Europe/Vienna' }, 'timezone', /offset/],
    ['a DSN of something else', { dsn: new Secret('redis://h') }, 'dsn', /neither of the form/],
  ])('finds %s', (_, options, key, message) => {
    const problems = checkTarget(config(options));
    expect(problems).toContainEqual(expect.objectContaining({ path: [key], message: expect.stringMatching(message) }));
    expect(() => resolveTarget(config(options))).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', connectionName: 'primary' }),
    );
  });

  it('quotes names as MySQL does', () => {
    expect(quoteIdentifier('a`b"c')).toBe('`a``b"c`');
  });
});
