import { describe, expect, it } from '@jest/globals';
import { defineOptions } from '../option-table.js';
import { Secret } from '../secret.js';
import { ConfigError } from './config-error.js';
import { PlainScalar, UNRESOLVED } from './plain-scalar.js';
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

describe('near misses', () => {
  it('are sought for the first hundred unknown keys, as a file of nothing else would take seconds', () => {
    const keys = Array.from({ length: 150 }, (_, index) => [`max_open_con_${index}`, 1]);
    const suggested = problemsWith(Object.fromEntries(keys)).map((problem) => problem.includes('did you mean'));
    expect(suggested).toHaveLength(150);
    expect(suggested.indexOf(false)).toBe(100);
    expect(suggested.lastIndexOf(true)).toBe(99);
  });
});

describe('rules of a provider', () => {
  it('are held beside a broken key that every connection has, but not beside a broken one of its own', () => {
    expect(problemsWith({ address: 'bad', max_open_conns: 0 })).toEqual([
      'max_open_conns: must be at least 1, not 0',
      'address: is bad',
    ]);
    expect(problemsWith({ address: 'bad', port: 0 })).toEqual(['port: must be at least 1, not 0']);
  });
});

describe('seeds 4: Config defaults: defaults', () => {
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
    ['sqlComments', false],
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

describe('seeds 4: Validation: rules between keys', () => {
  it.each([
    [{ max_open_conns: 1 }, 'maxIdleConns', 1],
    [{ conn_max_lifetime: '1m' }, 'keepaliveMs', 0],
    [{ acquire_timeout: '2s' }, 'validationTimeoutMs', 1_000],
    [{ retry_max_delay: '500ms' }, 'retryDelayMs', 500],
  ])('%j clamps the default of %s to %d', (keys, property, value) => {
    expect(optionsOf(keys)[property]).toBe(value);
  });

  it('clamp what is set for all connections to what one connection says', () => {
    expect(optionsOf({ max_open_conns: 1 }, { max_idle_conns: 5 }).maxIdleConns).toBe(1);
    expect(optionsOf({ acquire_timeout: '1s' }, { validation_timeout: '3s' }).validationTimeoutMs).toBe(500);
  });

  it.each([
    [{ max_idle_conns: 9, max_open_conns: 8 }, {}, 'max_idle_conns: 9 must not exceed max_open_conns, 8'],
    [{ max_idle_conns: 30 }, {}, 'max_idle_conns: 30 must not exceed max_open_conns, 25 (the default)'],
    [{ max_idle_conns: 9 }, { max_open_conns: 8 }, 'max_idle_conns: 9 must not exceed max_open_conns, 8'],
    [{}, { max_idle_conns: 9, max_open_conns: 8 }, 'max_idle_conns: 9 must not exceed max_open_conns, 8'],
    [{ keepalive: '40m' }, {}, 'keepalive: 40m must be less than conn_max_lifetime, 30m (the default)'],
    [{ keepalive: '5m', conn_max_lifetime: '5m' }, {}, 'keepalive: 5m must be less than conn_max_lifetime, 5m'],
    [{ validation_timeout: '30s' }, {}, 'validation_timeout: 30s must be less than acquire_timeout, 30s (the default)'],
    [{ retry_delay: '20s' }, {}, 'retry_delay: 20s must not exceed retry_max_delay, 10s (the default)'],
  ])('refuse %j with %j for all', (keys, globals, problem) => {
    const problems = problemsOf({ ...globals, connections: { c: { type: 'fake', address: 'x', ...keys } } });
    expect(problems.map((each) => each.replace('connections.c.', ''))).toEqual([problem]);
  });

  it('take 0 for no limit', () => {
    expect(optionsOf({ keepalive: '40m', conn_max_lifetime: 0 }).keepaliveMs).toBe(2_400_000);
    expect(optionsOf({ keepalive: 0, conn_max_lifetime: '1s' }).keepaliveMs).toBe(0);
  });

  it('of a contradiction that all connections inherit are told once', () => {
    const connections = { a: { type: 'fake', address: 'x' }, b: { type: 'fake', address: 'x' } };
    expect(problemsOf({ retry_delay: '20s', retry_max_delay: '5s', connections })).toHaveLength(1);
  });

  it('are silent about keys that are broken already', () => {
    expect(problemsWith({ max_idle_conns: 'x', max_open_conns: 1 })).toHaveLength(1);
    expect(problemsWith({ max_idle_conns: 9 }, { max_open_conns: 'x' })).toEqual([
      'max_open_conns: must be a whole number, not "x"',
    ]);
  });
});

describe('seeds 4: Validation: keys', () => {
  it('that are not known are refused at every level, with the key that was meant', () => {
    expect(problemsOf({ max_open_cons: 1, conections: {}, connections: { c: { type: 'fake', adress: 'x' } } })).toEqual(
      [
        'max_open_cons: unknown key; did you mean "max_open_conns"?',
        'conections: unknown key; did you mean "connections"?',
        'connections.c.adress: unknown key; did you mean "address"?',
        'connections.c: has no address, which type fake needs',
      ],
    );
  });

  it('for one connection alone are refused for all', () => {
    expect(problemsOf({ tags: {}, port: 1 })).toEqual(['tags: unknown key', 'port: unknown key']);
  });

  it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'that every object seems to have are no keys: %s',
    (key) => {
      const keys = Object.fromEntries([[key, 1]]);
      expect(problemsWith(keys)).toEqual([expect.stringMatching(/unknown key/)]);
      expect(problemsOf(keys)).toEqual([expect.stringMatching(/unknown key/)]);
    },
  );

  it('that the source could not give count as set, and nothing more is said of them', () => {
    expect(problemsOf({ connections: { c: { type: 'fake', address: UNRESOLVED, port: UNRESOLVED } } })).toEqual([]);
    expect(problemsOf({ connections: { c: { type: UNRESOLVED, x: 1 } }, default_connection: UNRESOLVED })).toEqual([]);
    expect(problemsOf({ connections: { c: UNRESOLVED } })).toEqual([]);
    expect(problemsOf({ connections: UNRESOLVED })).toEqual([]);
  });
});

describe('types', () => {
  it('may be named by an alias, and resolve to the name', () => {
    const input = { connections: { c: { type: 'fakedb', address: 'x' } } };
    expect(resolveConfig(input, CONTEXT).config.connections[0]?.type).toBe('fake');
  });

  it.each([
    [{}, 'connections.c: has no type; known types: fake'],
    [{ type: 'fkae' }, 'connections.c.type: unknown type "fkae"; did you mean "fake"?'],
    [{ type: 'oracle' }, 'connections.c.type: unknown type "oracle"; known types: fake'],
    [{ type: 5 }, 'connections.c.type: unknown type 5; known types: fake'],
  ])('%j is refused', (connection, problem) => {
    expect(problemsOf({ connections: { c: connection } })).toEqual([problem]);
  });

  it('check what their tables cannot say, unless so much is broken that they cannot judge', () => {
    expect(problemsWith({ address: 'bad' })).toEqual(['address: is bad']);
    expect(problemsWith({ address: 'bad', port: 'x' })).toEqual(['port: must be a whole number, not "x"']);
  });

  it('check their connections together, with warnings that do not fail', () => {
    const together: ConnectionType = {
      ...FAKE,
      checkAll: (connections) => [
        {
          path: ['connections', connections[1]?.name ?? ''],
          rule: 'twice',
          message: 'same again',
          severity: 'warning',
        },
      ],
    };
    const connections = { a: { type: 'fake', address: 'x' }, b: { type: 'fake', address: 'x' } };
    const { warnings } = resolveConfig({ connections }, { providers: [together] });
    expect(warnings).toEqual([expect.objectContaining({ path: ['connections', 'b'], rule: 'twice' })]);
  });

  it('that adopt a pool need not say where it is', () => {
    const input = { connections: { c: { type: 'fake' } } };
    expect(problemsOf(input)).toHaveLength(1);
    expect(problemsOf(input, { ...CONTEXT, adopting: true })).toEqual([]);
  });
});

describe('default_orm', () => {
  it.each(['knex', 'native'])('may be %s', (orm) => {
    expect(optionsOf({ default_orm: orm }).defaultOrm).toBe(orm);
  });

  it('must be known, and possible for the type', () => {
    expect(problemsWith({ default_orm: 'kenx' })).toEqual([
      'default_orm: must be one of knex, mongoose, native, not "kenx"; did you mean "knex"?',
    ]);
    expect(problemsWith({ default_orm: 'mongoose' })).toEqual([
      'default_orm: mongoose cannot drive fake; possible: knex, native',
    ]);
    expect(problemsOf({ default_orm: 'gorm' })).toHaveLength(1);
  });

  it('for all connections is for those that can have it', () => {
    expect(optionsOf({}, { default_orm: 'knex' }).defaultOrm).toBe('knex');
    expect(optionsOf({}, { default_orm: 'mongoose' }).defaultOrm).toBeUndefined();
  });
});

describe('seeds 4: Validation: default_connection', () => {
  const connections = { a: { type: 'fake', address: 'x' }, primary: { type: 'fake', address: 'x' } };
  const defaultOf = (input: object) => resolveConfig(input, CONTEXT).config.defaultConnection;

  it('must be there', () => {
    expect(defaultOf({ default_connection: 'primary', connections })).toBe('primary');
    expect(problemsOf({ default_connection: 'pimary', connections })).toEqual([
      'default_connection: no connection is named "pimary"; did you mean "primary"?',
    ]);
    expect(problemsOf({ default_connection: 'x' })).toEqual([
      'default_connection: no connection is named "x"; there are none',
    ]);
  });

  it('left out or empty is the only connection, or none', () => {
    expect(defaultOf({ connections: { a: connections.a } })).toBe('a');
    expect(defaultOf({ default_connection: '', connections })).toBeUndefined();
    expect(defaultOf({})).toBeUndefined();
  });
});

describe('names', () => {
  it.each(['primary', 'cache-db', 'a.b_c', '0'])('may be %s', (name) => {
    expect(problemsOf({ connections: { [name]: { type: 'fake', address: 'x' } } })).toEqual([]);
  });

  it.each(['', 'a b', '-a', 'é', 'x'.repeat(64), 'a/b'])('may not be %j', (name) => {
    expect(problemsOf({ connections: { [name]: { type: 'fake', address: 'x' } } })).toEqual([
      expect.stringMatching(/is no name: use up to 63 letters/),
    ]);
  });

  it('may be repeated inside the connection, as they are', () => {
    expect(problemsWith({ name: 'c' })).toEqual([]);
    expect(problemsWith({ name: 'd' })).toEqual(['name: differs from the key "c", which is the name; leave it out']);
  });
});

describe('secrets', () => {
  it('are read from the file that <secret>_file names, less one newline', () => {
    const readFile = (path: string) => `${path}\n\n`;
    const input = { connections: { c: { type: 'fake', address: 'x', password_file: 'pw' } } };
    const [connection] = resolveConfig(input, { ...CONTEXT, readFile }).config.connections;
    const options = { password: undefined as unknown, ...connection?.options };
    expect(options.password instanceof Secret && options.password.reveal()).toBe('/base/pw\n');
  });

  it('may not be given twice, nor from a file that is not there', () => {
    expect(problemsWith({ password: 'x', password_file: 'y' })).toEqual([
      'password_file: stands beside password; keep one of them',
    ]);
    expect(problemsWith({ password_file: '/nowhere/at/all' })).toEqual([
      'password_file: cannot read "/nowhere/at/all": ENOENT',
    ]);
    expect(problemsWith({ dsn_file: 'x' })).toEqual([expect.stringMatching(/^dsn_file: unknown key/)]);
  });

  it('are in no message, also when they stand under another key', () => {
    const texts = problemsWith({ mode: 'fake://u:hunter2@h', port: 'fake://u:hunter2@h' });
    expect(texts.join()).not.toContain('hunter2');
  });
});

describe('the result', () => {
  it('is complete, in order and frozen through and through', () => {
    const input = {
      connections: { b: { type: 'fake', address: 'x', tags: { t: 'y' } }, a: { type: 'fake', address: 'x' } },
    };
    const { config } = resolveConfig(input, CONTEXT);
    expect(config.connections.map(({ name }) => name)).toEqual(['b', 'a']);
    const [first] = config.connections;
    for (const part of [config, config.connections, first, first?.options, first?.options.tags])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it('is an error with every problem, matched by its code', () => {
    const error = errorOf({ connections: { c: { type: 'fake', address: 'x', port: 0, mode: 'x' } } });
    expect(error).toMatchObject({ code: 'DBM_CONFIG_INVALID', retryable: false, option: 'port' });
    expect(error.problems).toHaveLength(2);
    expect(error.message).toBe(
      [
        'connection "c": the configuration has 2 problems:',
        '  error connections.c.port: must be at least 1, not 0',
        '  error connections.c.mode: must be one of soft, hard, not "x"',
      ].join('\n'),
    );
  });

  it.each([null, undefined, 5, 'x', [], new Secret('x')])('of %p is an error too', (input) => {
    expect(problemsOf(input)).toEqual([expect.stringMatching(/^: must be a mapping of keys, not /)]);
  });

  function errorOf(input: unknown): ConfigError {
    try {
      resolveConfig(input, CONTEXT);
    } catch (error) {
      if (error instanceof ConfigError) return error;
    }
    throw new Error('no ConfigError');
  }

  it.each<[string, Record<string, unknown>, string | undefined, string]>([
    ['a key', { connections: { c: { type: 'fake', address: 'x', port: 0 } } }, 'c', 'port'],
    ['a key inside a value', { connections: { c: { type: 'fake', address: 'x', tags: { a: [] } } } }, 'c', 'tags'],
    ['a key that is missing', { connections: { c: { type: 'fake' } } }, 'c', 'address'],
    ['a type that is missing', { connections: { c: {} } }, 'c', 'type'],
    ['a global key', { port: 1, connections: {} }, undefined, 'port'],
    [
      'the first of several connections',
      { connections: { a: { type: 'fake', address: 'bad' }, b: { type: 'fake' } } },
      undefined,
      'address',
    ],
  ])('carries the connection and the option to change: %s', (_, input, connectionName, option) => {
    expect(errorOf(input)).toMatchObject({ code: 'DBM_CONFIG_INVALID', connectionName, option });
  });
});
