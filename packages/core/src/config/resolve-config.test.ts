import { describe, expect, it } from '@jest/globals';
import { defineOptions } from '../option-table.js';
import { Secret } from '../secret.js';
import { ConfigError } from './config-error.js';
import { PlainScalar } from './plain-scalar.js';
import { type ConnectionType, type ResolveContext, resolveConfig } from './resolve-config.js';

const FAKE: ConnectionType = {
  type: 'fake',
  aliases: ['fakedb'],
  options: defineOptions({
    address: { kind: 'string', required: true, description: 'Where.' },
    port: { kind: 'integer', min: 1, max: 65_535, default: 1234, description: 'Port.' },
    password: { kind: 'secret', description: 'Password.' },
    dsn: { kind: 'secret-string', description: 'All in one.' },
    mode: { kind: 'enum', values: ['soft', 'hard'], default: 'soft', description: 'How.' },
    file: { kind: 'path', default: 'x.db', literals: [':memory:'], description: 'File.' },
    hosts: { kind: 'string-list', default: [], description: 'Several.' },
  }),
  check: ({ options }) =>
    'address' in options && options.address === 'bad'
      ? [{ path: ['address'], rule: 'malformed', message: 'is bad' }]
      : [],
};
const CONTEXT: ResolveContext = {
  providers: [FAKE],
  bridges: [
    { name: 'knex', types: ['fake'] },
    { name: 'mongoose', types: ['other'] },
  ],
  baseDir: '/base',
};

/** Resolves one connection `c` with these keys and gives its options. */
function optionsOf(keys: Record<string, unknown>, globals: Record<string, unknown> = {}) {
  const input = { ...globals, connections: { c: { type: 'fake', address: 'here', ...keys } } };
  const [connection] = resolveConfig(input, CONTEXT).config.connections;
  return connection?.options as unknown as Record<string, unknown>;
}

/** The problems of an input as `path: message`. */
function problemsOf(input: unknown, context = CONTEXT): string[] {
  try {
    resolveConfig(input, context);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
  }
  return [];
}

/** The problems of one connection `c`, paths relative to it. */
function problemsWith(keys: Record<string, unknown>, globals: Record<string, unknown> = {}): string[] {
  const problems = problemsOf({ ...globals, connections: { c: { type: 'fake', address: 'here', ...keys } } });
  return problems.map((problem) => problem.replace(/^connections\.c\.?/, ''));
}

describe('defaults', () => {
  it.each([
    ['maxOpenConns', 25],
    ['maxIdleConns', 5],
    ['connMaxLifetimeMs', 1_800_000],
    ['connMaxIdleTimeMs', 300_000],
    ['retryAttempts', 3],
    ['retryDelayMs', 1_000],
    ['retryMaxDelayMs', 10_000],
    ['healthCheckIntervalMs', 30_000],
    ['enableAutoReconnect', true],
    ['connectTimeoutMs', 10_000],
    ['queryTimeoutMs', 30_000],
    ['acquireTimeoutMs', 30_000],
    ['enableMetrics', true],
    ['enableTracing', false],
    ['enableLogging', true],
    ['startup', 'required'],
    ['tags', {}],
    ['port', 1234],
    ['password', undefined],
    ['file', '/base/x.db'],
  ])('%s is %p', (key, value) => {
    expect(optionsOf({})[key]).toEqual(value);
  });

  it('give way to global keys, and those to the keys of the connection', () => {
    expect(optionsOf({}, { max_open_conns: 7 }).maxOpenConns).toBe(7);
    expect(optionsOf({ max_open_conns: 9 }, { max_open_conns: 7 }).maxOpenConns).toBe(9);
  });

  it('do not override an explicit false or 0', () => {
    const options = optionsOf(
      { enable_metrics: false, max_idle_conns: 0, conn_max_lifetime: 0, query_timeout: '0' },
      { enable_auto_reconnect: false, retry_attempts: 0 },
    );
    expect(options).toMatchObject({
      enableMetrics: false,
      maxIdleConns: 0,
      connMaxLifetimeMs: 0,
      queryTimeoutMs: 0,
      enableAutoReconnect: false,
      retryAttempts: 0,
    });
  });
});

describe('values', () => {
  it.each([
    ['port', 5432, 5432],
    ['port', new PlainScalar(5432, '5432'), 5432],
    ['mode', 'hard', 'hard'],
    ['file', 'data/y.db', '/base/data/y.db'],
    ['file', '/abs/y.db', '/abs/y.db'],
    ['file', ':memory:', ':memory:'],
    ['hosts', ['a', new PlainScalar(1, '01')], ['a', '01']],
    ['tags', { tier: new PlainScalar(1, '1'), team: 'x' }, { tier: '1', team: 'x' }],
    ['address', new PlainScalar(123, '0123'), '0123'],
  ])('%s takes %p', (key, written, value) => {
    expect(optionsOf({ [key]: written })[key]).toEqual(value);
  });

  it('of secrets keep the text they were written as, masked', () => {
    const { password } = optionsOf({ password: new PlainScalar(123, '0123') });
    expect(password).toBeInstanceOf(Secret);
    expect((password as Secret).reveal()).toBe('0123');
    const given = new Secret('s');
    expect(optionsOf({ password: given }).password).toBe(given);
  });

  it.each([
    ['port', 70_000, 'must be at most 65535, not 70000'],
    ['port', -1, 'must be at least 1, not -1'],
    ['port', 2.5, 'must be a whole number, not 2.5'],
    ['port', '5432', 'must be a whole number, not text; write 5432 without quotes'],
    ['max_open_conns', -4, 'must be at least 1, not -4'],
    ['retry_attempts', -1, 'must be at least 0, not -1'],
    ['connect_timeout', 30, '30 has no unit; write 30s'],
    ['connect_timeout', '30', '30 has no unit; write 30s'],
    ['connect_timeout', -5, 'must not be negative, not -5'],
    ['connect_timeout', '-5s', 'must not be negative, not "-5s"'],
    ['connect_timeout', '5 minutes', '"5 minutes" is no duration; write one such as 500ms, 30s or 1m30s'],
    ['connect_timeout', 0, 'must be at least 1ms, not 0'],
    ['leak_detection', '1s', 'must be at least 2s (or 0: off), not 1s'],
    ['acquire_timeout', '100ms', 'must be at least 250ms, not 100ms'],
    ['enable_metrics', 'yes', 'must be true or false, not "yes"'],
    ['mode', 'sotf', 'must be one of soft, hard, not "sotf"; did you mean "soft"?'],
    ['startup', 'maybe', 'must be one of required, optional, lazy, not "maybe"'],
    ['address', ['a'], 'must be text, not a list'],
    ['address', null, 'has no value; write text, or leave the key out'],
    ['address', 5, 'must be text, not 5; put it in quotes'],
    ['file', '', 'must be a path, not ""'],
    ['hosts', 'a', 'must be a list of texts, not "a"'],
    ['tags', ['a'], 'must be a mapping of texts, not a list'],
    ['password', 12345, 'must be text; put it in quotes'],
    ['dsn', ['fake://u:hunter2@h'], 'must be text; put it in quotes'],
  ])('%s refuses %p', (key, written, message) => {
    expect(problemsWith({ [key]: written })).toEqual([`${key}: ${message}`]);
  });

  it('inside lists and maps are refused with their own path', () => {
    expect(problemsWith({ hosts: ['a', {}], tags: { team: [] } })).toEqual([
      'hosts.1: must be text, not a mapping',
      'tags.team: must be text, not a list',
    ]);
  });
});
