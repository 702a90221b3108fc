import { Secret } from '@dbmanager/core';
import { testConfig } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import type { PostgresOptions } from './postgres-options.js';
import { postgresProvider } from './postgres-provider.js';
import { checkTarget, resolveTarget } from './postgres-target.js';

const config = (options: Partial<PostgresOptions>) =>
  testConfig(postgresProvider, { user: 'app', ...options }, 'primary');
const target = (options: Partial<PostgresOptions>) => resolveTarget(config(options));
const problems = (options: Partial<PostgresOptions>) =>
  checkTarget(config(options)).map(({ path, rule }) => [...path, rule]);

describe('where to connect', () => {
  it('comes from the parts, with defaults', () => {
    expect(target({})).toMatchObject({
      hosts: [{ host: 'localhost', port: 5432 }],
      user: 'app',
      database: 'app',
      password: undefined,
      sslMode: 'prefer',
      applicationName: 'dbmanager:primary',
      sessionAttrs: 'any',
      serverOptions: undefined,
    });
  });

  it('comes from the DSN where that says something, and from the parts where it does not', () => {
    const resolved = target({
      dsn: new Secret('postgres://dsn:p%40ss@h:6432/db?sslmode=disable&application_name=web'),
      user: 'part',
      password: new Secret('part'),
      database: 'part',
      sslmode: 'require',
      targetSessionAttrs: 'primary',
    });
    expect(resolved).toMatchObject({
      hosts: [{ host: 'h', port: 6432 }],
      user: 'dsn',
      database: 'db',
      sslMode: 'disable',
      applicationName: 'web',
      sessionAttrs: 'primary',
    });
    expect(resolved.password?.reveal()).toBe('p@ss');
    expect(target({ dsn: new Secret('host=h'), password: new Secret('part') }).password?.reveal()).toBe('part');
  });

  it('may be several hosts, each with a port of its own', () => {
    expect(target({ host: 'a, b:6432,[::1]:3,/run/pg', port: 7 }).hosts).toEqual([
      { host: 'a', port: 7 },
      { host: 'b', port: 6432 },
      { host: '::1', port: 3 },
      { host: '/run/pg', port: 7 },
    ]);
    expect(target({ dsn: new Secret('host=a,b port=1,2') }).hosts).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ]);
    expect(target({ dsn: new Secret('host=a,b port=9') }).hosts.map(({ port }) => port)).toEqual([9, 9]);
  });

  it('quotes the schemas of the search path, after the options of the DSN', () => {
    expect(target({ schema: 'app, My Schema,$user' }).serverOptions).toBe('-c search_path="app","My\\ Schema","$user"');
    const dsn = new Secret('postgres://u@h/?options=-c%20geqo%3Doff');
    expect(target({ dsn, schema: 'app' }).serverOptions).toBe('-c geqo=off -c search_path="app"');
  });

  it.each<[string, Partial<PostgresOptions>, string[]]>([
    ['no user', { user: undefined }, ['user', 'missing']],
    ['no user in the DSN either', { user: undefined, dsn: new Secret('host=h') }, ['dsn', 'missing']],
    ['a DSN that is none', { dsn: new Secret('what?') }, ['dsn', 'invalid-dsn']],
    ['a mode that is none', { dsn: new Secret('sslmode=no-verify') }, ['dsn', 'invalid-dsn']],
    ['hosts and ports that do not match', { dsn: new Secret('host=a,b,c port=1,2') }, ['dsn', 'invalid-dsn']],
    ['an empty host', { host: 'a,,b' }, ['host', 'invalid-host']],
    ['a host that is none', { host: 'a b' }, ['host', 'invalid-host']],
    ['a port out of range', { host: 'a:70000' }, ['host', 'out-of-range']],
    ['a port that is no number', { host: 'a:x' }, ['host', 'out-of-range']],
    ['a certificate without a key', { sslcert: 'c.pem' }, ['sslcert', 'incomplete']],
    ['a key without a certificate', { sslkey: 'k.pem' }, ['sslkey', 'incomplete']],
    ['verify-full on a socket', { host: '/run/pg', sslmode: 'verify-full' }, ['sslmode', 'unsupported']],
  ])('is refused with %s', (_, options, problem) => {
    expect(problems(options)).toEqual([problem]);
    expect(() => target(options)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: problem[0] }));
  });

  it('reports all problems at once', () => {
    expect(problems({ user: undefined, host: '', sslcert: 'c' })).toHaveLength(3);
  });
});
