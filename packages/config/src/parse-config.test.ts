import { Secret } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { connectionsOf, parse, problemsOf, summaryOf } from '../test/fake-types.js';

/** A reference as the file has it: `${text}`. */
function ref(text: string): string {
  return `$\{${text}}`;
}

/** The text of a connection's password. */
function passwordOf(options: Record<string, unknown> | undefined): string | undefined {
  return options?.password instanceof Secret ? options.password.reveal() : undefined;
}

/** The section with one connection `a` of type server and these lines in it. */
function withKeys(...lines: string[]): string {
  return [
    'dbmanager:',
    '  connections:',
    '    a:',
    '      type: server',
    ...lines.map((line) => `      ${line}`),
    '',
  ].join('\n');
}

describe('places', () => {
  it('seeds 4: Validation: are shown with the source line and what is wrong in it, all problems at once', () => {
    const text = [
      'dbmanager:',
      '  connections:',
      '    primary:',
      '      type: server',
      '      max_open_cons: 25',
      '    analytics:',
      '      type: server',
      '      connect_timeout: 30',
      '      port: 70000',
      '',
    ].join('\n');
    expect(problemsOf(text)).toBe(
      [
        'databases.yaml:5:7 error connections.primary.max_open_cons: unknown key; did you mean "max_open_conns"?',
        '    5 |       max_open_cons: 25',
        '      |       ^^^^^^^^^^^^^',
        'databases.yaml:8:24 error connections.analytics.connect_timeout: 30 has no unit; write 30s',
        '    8 |       connect_timeout: 30',
        '      |                        ^^',
        'databases.yaml:9:13 error connections.analytics.port: must be at most 65535, not 70000',
        '    9 |       port: 70000',
        '      |             ^^^^^',
        '',
      ].join('\n'),
    );
  });

  it('are right behind CRLF, a byte order mark and tabs', () => {
    const text = `\uFEFF# bom\r\n${withKeys('port: 0').replaceAll('\n', '\r\n')}`;
    expect(summaryOf(text)).toEqual(['databases.yaml:6:13 error connections.a.port: must be at least 1, not 0']);
    expect(summaryOf(new TextEncoder().encode(text))).toEqual(summaryOf(text));
    expect(problemsOf(text)).not.toContain('\r');
    expect(problemsOf(withKeys('port:\t0'))).toContain('    5 |       port:\t0\n      |            \t^\n');
  });

  it('of what is missing are those of the nearest thing that is there', () => {
    const text = 'dbmanager:\n  default_connection: b\n  connections:\n    a: { type: file }\n';
    expect(summaryOf(text)).toEqual([
      'databases.yaml:2:23 error default_connection: no connection is named "b"; there are: a',
      'databases.yaml:4:5 error connections.a: has no filepath, which type file needs',
    ]);
  });

  it('of a long line show the part around the problem', () => {
    const line = `tags: { ${Array.from({ length: 200 }, (_, index) => `k${index}: v`).join(', ')} }`;
    const shown = problemsOf(`${withKeys(line.replace('k100: v', 'k100: [v]'))}`).split('\n')[1] as string;
    expect(shown).toContain('k100: [v]');
    expect(shown.length).toBeLessThan(200);
  });
});

describe('secrets', () => {
  const HIDDEN = 'hunter2';

  it.each([
    ['a secret beside its file', withKeys(`password: ${HIDDEN}`, 'password_file: x')],
    ['a misspelt secret', withKeys(`pasword: ${HIDDEN}`)],
    ['an unknown key that resembles nothing', withKeys(`credentials_of_the_app: ${HIDDEN}`)],
    ['a list under an unknown key', withKeys(`credentials_of_the_app: [x, ${HIDDEN}]`)],
    ['a secret that is no text', withKeys(`password: [${HIDDEN}]`)],
    [
      'a DSN beside a problem on the line',
      `dbmanager:\n  connections:\n    a: { type: server, dsn: "s://u:${HIDDEN}@h", prt: 1 }`,
    ],
    ['a comment', withKeys(`port: 0 # was ${HIDDEN}`)],
    ['a default of a substituted secret', withKeys(`password: "${ref(`:-${HIDDEN}`)}"`)],
    ['a quote that is not closed', withKeys(`password: "${HIDDEN}`)],
    ['an escape that does not exist', withKeys(`password: "\\q${HIDDEN}"`)],
    ['a value that cannot begin so', withKeys(`password: @${HIDDEN}`)],
    ['a line without a key', `${withKeys(`password: |`)}  ${HIDDEN}\n`],
    ['a credential in a URL under another key', withKeys(`mode: s://u:${HIDDEN}@h`)],
    ['an alias of a secret', withKeys(`password: &p ${HIDDEN}`, 'port: *p')],
    ['another section of the file', `other: { password: ${HIDDEN} }\n${withKeys('port: 0')}`],
    ['another section on the line', `{ other: { password: ${HIDDEN} }, dbmanager: { prt: 1 } }`],
    ['a key without a value', withKeys(`password: ${HIDDEN}: x`)],
    ['a secret of several lines', withKeys('password: |', `  ${HIDDEN}`, 'password_file: x')],
  ])('stay out of the messages: %s', (_, text) => {
    const problems = problemsOf(text, { env: { PW: '' } });
    // a value that is not a secret by its key may be shown, a URL with credentials may not be told
    if (!text.includes('mode:')) expect(problems).not.toContain(HIDDEN);
    else expect(problems.split('\n')[0]).not.toContain(HIDDEN);
  });

  it('are read from the file that <secret>_file names, relative to the configuration file', () => {
    const read: string[] = [];
    const readFile = (path: string) => {
      read.push(path);
      return 'p@ss w/\'"\n\n';
    };
    const { a } = connectionsOf(parse(withKeys('password_file: secrets/pw'), { file: '/etc/app/db.yaml', readFile }));
    expect(read).toEqual(['/etc/app/secrets/pw']);
    expect(passwordOf(a)).toBe('p@ss w/\'"\n');
  });

  it('keep the text they were written as, even when YAML would read a number', () => {
    for (const [written, secret] of [
      ['0123', '0123'],
      ['1e3', '1e3'],
      ['true', 'true'],
      ['"0x1F"', '0x1F'],
      [ref('PW'), '007'],
    ]) {
      const { a } = connectionsOf(parse(withKeys(`password: ${written}`), { env: { PW: '007' } }));
      expect(passwordOf(a)).toBe(secret);
    }
  });

  it('cannot be read from a file that is not there', () => {
    expect(summaryOf(withKeys('password_file: nowhere'))).toEqual([
      'databases.yaml:5:22 error connections.a.password_file: cannot read "nowhere": ENOENT',
    ]);
  });
});

describe('substitution', () => {
  it('happens before typing: unquoted becomes a number, quoted stays text', () => {
    const env = { PORT: '6000' };
    expect(connectionsOf(parse(withKeys(`port: ${ref('PORT')}`), { env })).a?.port).toBe(6000);
    expect(summaryOf(withKeys(`port: "${ref('PORT')}"`), { env })).toEqual([
      'databases.yaml:5:13 error connections.a.port: must be a whole number, not text; write 6000 without quotes',
    ]);
  });

  it('adds no structure and is not repeated', () => {
    const env = { X: 'a: b # c', Y: ref('X'), Z: '[1, 2]' };
    const { a } = connectionsOf(
      parse(withKeys(`user: ${ref('X')}`, `host: ${ref('Y')}`, `tags: { t: "${ref('Z')}" }`), { env }),
    );
    expect(a).toMatchObject({ user: 'a: b # c', host: ref('X'), tags: { t: '[1, 2]' } });
  });

  it('takes $$ for a dollar sign, and a dollar sign before anything else for itself', () => {
    const env = { X: 'x' };
    const { a } = connectionsOf(
      parse(withKeys(`user: $$${ref('X')}`, `password: pa$$$$wo$rd$`, `host: "$$${'{'}X}"`), { env }),
    );
    expect([a?.user, passwordOf(a), a?.host]).toEqual(['$x', 'pa$$wo$rd$', ref('X')]);
  });

  it('leaves keys alone', () => {
    expect(summaryOf(withKeys(`${ref('K')}: 1`), { env: { K: 'port' } })).toEqual([
      `databases.yaml:5:7 error connections.a."${ref('K')}": unknown key`,
    ]);
  });

  it('names the variable that is not set, and its place', () => {
    const text = withKeys(
      `user: ${ref('NOBODY')}`,
      `host: ${ref('EMPTY:?say where')}`,
      `password: ${ref('file:/none')}`,
      `mode: ${ref('1BAD')}`,
    );
    expect(summaryOf(text, { env: { EMPTY: '' } })).toEqual([
      `databases.yaml:5:13 error connections.a.user: the environment variable NOBODY is not set; set it, or write ${ref('NOBODY:-default')}`,
      'databases.yaml:6:13 error connections.a.host: the environment variable EMPTY is empty; say where',
      'databases.yaml:7:17 error connections.a.password: cannot read the file "/none": ENOENT',
      expect.stringMatching(/^databases.yaml:8:13 error connections.a.mode: malformed substitution/),
    ]);
  });

  it('without quotes between braces is one problem, not all that follow from it', () => {
    const text = `dbmanager:\n  connections:\n    a: { type: server, host: ${ref('HOST')}, port: 1 }\n    b: { type: file }\n`;
    expect(summaryOf(text)).toEqual([
      expect.stringMatching(/^databases.yaml:3:\d+ error this does not belong here; .* between braces, needs quotes$/),
    ]);
  });

  it('that gives nothing takes an unquoted key away', () => {
    const { a } = connectionsOf(parse(withKeys(`port: ${ref('P:-')}`, `user: "${ref('P:-')}"`)));
    expect(a).toMatchObject({ port: 5432, user: '' });
  });
});

describe('layers', () => {
  const text = [
    'dbmanager:',
    '  max_open_conns: 20',
    '  enable_auto_reconnect: true',
    '  connections:',
    '    a: { type: server, host: base, password: one }',
    '    b-1: { type: server, max_open_conns: 9 }',
    '  profiles:',
    '    prod:',
    '      max_open_conns: 30',
    '      connections:',
    '        a: { host: prod, password_file: /secret }',
    '        c: { type: file, filepath: c.db }',
    '    broken:',
    '      connections:',
    `        a: { prt: 1, user: "${ref('UNSET')}" }`,
    '',
  ].join('\n');
  const good = text.replace('prt', 'port');
  const readFile = () => 'two\n';

  it('go from the defaults over global keys and the connection to the profile and the environment', () => {
    const base = connectionsOf(parse(good));
    expect([base.a?.maxOpenConns, base['b-1']?.maxOpenConns, base.a?.host]).toEqual([20, 9, 'base']);
    const prod = connectionsOf(parse(good, { profile: 'prod', readFile }));
    expect([prod.a?.maxOpenConns, prod['b-1']?.maxOpenConns, prod.a?.host]).toEqual([30, 9, 'prod']);
    expect(passwordOf(prod.a)).toBe('two');
    expect(Object.keys(prod)).toEqual(['a', 'b-1', 'c']);
    const env = {
      DBMANAGER_PROFILE: 'prod',
      DBMANAGER_MAX_OPEN_CONNS: '40',
      DBMANAGER_ENABLE_AUTO_RECONNECT: 'false',
      DBMANAGER_CONNECTIONS_B_1_MAX_IDLE_CONNS: '0',
      DBMANAGER_CONNECTIONS_A_HOST: 'env',
      DBMANAGER_CONNECTIONS_A_PASSWORD: '0042',
      DBMANAGER_CONNECTIONS_A_PORT: '',
      DBMANAGER_SOMETHING_ELSE: 'x',
    };
    const over = connectionsOf(parse(good, { env }));
    expect(over.a).toMatchObject({ maxOpenConns: 40, enableAutoReconnect: false, host: 'env', port: 5432 });
    expect(passwordOf(over.a)).toBe('0042');
    expect(over['b-1']).toMatchObject({ maxOpenConns: 9, maxIdleConns: 0 });
  });

  it('that do not apply are checked too, but for variables that are not set', () => {
    expect(summaryOf(text)).toEqual([
      'databases.yaml:15:14 error profiles.broken.connections.a.prt: unknown key; did you mean "port"?',
    ]);
    expect(() => parse(good)).not.toThrow();
  });

  it('name the profiles there are when one is asked for that is not', () => {
    expect(summaryOf(good, { profile: 'prd' })).toEqual([
      'error profiles: no profile is named "prd"; there are: prod, broken',
    ]);
  });

  it('say which variable holds a bad value, and which fits nothing', () => {
    const env = {
      DBMANAGER_CONNECTIONS_A_PORT: '-1',
      DBMANAGER_CONNECTIONS_A_HOTS: 'x',
      DBMANAGER_CONNECTIONS_Z_PORT: '1',
      DBMANAGER_RETRY_DELAY: '5',
    };
    expect(summaryOf(good, { env })).toEqual([
      'error the environment variable DBMANAGER_CONNECTIONS_A_HOTS names no key of connection a; did you mean "host"?',
      'error the environment variable DBMANAGER_CONNECTIONS_Z_PORT names no connection; there are: a, b-1',
      'error retry_delay: 5 has no unit; write 5s (set by DBMANAGER_RETRY_DELAY)',
      'error connections.a.port: must be at least 1, not -1 (set by DBMANAGER_CONNECTIONS_A_PORT)',
    ]);
  });

  it('refuse a variable that fits two connections', () => {
    const both = 'dbmanager: { connections: { a-b: { type: server }, a_b: { type: server } } }';
    expect(summaryOf(both, { env: { DBMANAGER_CONNECTIONS_A_B_PORT: '1' } })).toEqual([
      'error the environment variable DBMANAGER_CONNECTIONS_A_B_PORT fits several connections: a-b, a_b; rename one',
    ]);
  });
});

describe('YAML', () => {
  it('may hold other sections, anchors, aliases and merge keys', () => {
    const text = [
      'x-defaults: &defaults { type: server, port: 6000, tags: &tags { team: x } }',
      'dbmanager:',
      '  connections:',
      '    a: { <<: *defaults, port: 7000 }',
      '    b: { <<: [{ host: first }, *defaults, { host: second }], tags: *tags }',
      '',
    ].join('\n');
    const { a, b } = connectionsOf(parse(text));
    expect(a).toMatchObject({ port: 7000, tags: { team: 'x' } });
    expect(b).toMatchObject({ port: 6000, host: 'first', tags: { team: 'x' } });
  });

  it('with a key or a name written twice names both places', () => {
    const text =
      'dbmanager:\n  connections:\n    a: { type: server }\n    b: { type: server, port: 1, port: 2 }\n    a: { type: file }\n';
    expect(summaryOf(text)).toEqual([
      'databases.yaml:4:33 error connections.b.port: is written twice; the first is in line 4',
      'databases.yaml:5:5 error connections.a: is written twice; the first is in line 3',
    ]);
    expect(summaryOf('dbmanager: {}\ndbmanager: {}')).toEqual([
      'databases.yaml:2:1 error dbmanager: is written twice; the first is in line 1',
    ]);
    expect(summaryOf('dbmanager:\n  profiles: { p: {}, p: {} }\n  profiles: {}\n')).toEqual([
      'databases.yaml:2:22 error profiles.p: is written twice; the first is in line 2',
      'databases.yaml:3:3 error profiles: is written twice; the first is in line 2',
    ]);
    expect(summaryOf(withKeys(`port: ${ref('NONE:-')}`, 'port: 1'))).toEqual([
      'databases.yaml:6:7 error connections.a.port: is written twice; the first is in line 5',
    ]);
  });

  it.each([
    ['nothing', '', '1:1 error the file is empty; it needs the section "dbmanager"'],
    ['only comments', '# x\n', '1:1 error the file is empty; it needs the section "dbmanager"'],
    ['a scalar', 'hello', '1:1 error the file is no mapping of keys; it needs the section "dbmanager"'],
    ['a list', '- 1', '1:1 error the file is no mapping of keys; it needs the section "dbmanager"'],
    ['a misspelt section', 'dbmanger: {}', '1:1 error the file has no section "dbmanager"; did you mean "dbmanger"?'],
    ['an empty section', 'dbmanager:', '1:1 error dbmanager: must be a mapping of keys'],
    [
      'connections that are a list',
      'dbmanager: { connections: [a] }',
      '1:27 error connections: must be a mapping of keys, not a list',
    ],
    [
      'a connection that is text',
      'dbmanager: { connections: { a: b } }',
      '1:32 error connections.a: must be a mapping of keys, not "b"',
    ],
    [
      'a connection that is nothing',
      'dbmanager:\n  connections:\n    a:\n',
      '3:7 error connections.a: must be a mapping of keys, not nothing',
    ],
    ['profiles that are a list', 'dbmanager: { profiles: [] }', '1:14 error profiles: must be a mapping of names'],
    ['a profile that is text', 'dbmanager: { profiles: { p: x } }', '1:26 error profiles.p: must be a mapping of keys'],
    [
      'two documents',
      'dbmanager: {}\n---\ndbmanager: {}\n',
      '2:1 error a second document begins here; a configuration is one document',
    ],
    ['a tab as indentation', 'dbmanager:\n\tconnections: {}\n', '2:1 error tabs are not allowed as indentation'],
    ['an alias to nothing', 'dbmanager: *x', '1:12 error no anchor of that name stands above the alias'],
    ['an alias inside itself', 'dbmanager: &x { connections: *x }', '1:30 error the alias stands inside what it names'],
    ['a tag', 'dbmanager: !!js/function x', '1:26 error has a tag that configurations do not use'],
    ['a key that is a list', 'dbmanager: { [a]: 1 }', '1:14 error a key must be text, not a list or a mapping'],
    ['a merge of text', 'dbmanager: { <<: x }', '1:18 error a merge key (<<) takes a mapping or a list of mappings'],
    ['a NUL', 'dbmanager:\0', '1:11 error this is no text: it holds the control character U+0000'],
    [
      'an empty name',
      'dbmanager: { connections: { "": { type: server } } }',
      '1:29 error connections."": is no name: use up to 63 letters, digits, "_", "-" and ".", the first a letter or digit',
    ],
    [
      'a key of every object',
      'dbmanager: { connections: { a: { type: server, constructor: 1 } } }',
      '1:48 error connections.a.constructor: unknown key',
    ],
    ['a prototype', 'dbmanager: { __proto__: { connections: 1 } }', '1:14 error __proto__: unknown key'],
    [
      'an unknown type',
      'dbmanager: { connections: { a: { type: sever } } }',
      '1:40 error connections.a.type: unknown type "sever"; did you mean "server"?',
    ],
    [
      'a type of nothing known',
      'dbmanager: { connections: { a: { type: oracle } } }',
      '1:40 error connections.a.type: unknown type "oracle"; known types: server, file',
    ],
    [
      'no type',
      'dbmanager: { connections: { a: {} } }',
      '1:29 error connections.a: has no type; known types: server, file',
    ],
  ])('that holds %s is refused', (_, text, problem) => {
    expect(summaryOf(text)).toEqual([`databases.yaml:${problem}`]);
  });

  it('in another encoding is refused', () => {
    expect(summaryOf(Buffer.from('dbmanager: {}', 'utf16le'))).toEqual([
      'databases.yaml:1:2 error this is no text: it holds the control character U+0000',
    ]);
    expect(summaryOf(Uint8Array.of(0xc3, 0x28))).toEqual(['databases.yaml:1:1 error this is no text in UTF-8']);
  });

  it('cannot be a bomb: shared nodes are not copied, merges are bounded', () => {
    const aliases = Array.from({ length: 40 }, (_, index) => `  - &a${index + 1} [${`*a${index},`.repeat(20)}]`);
    const bomb = ['dbmanager:', '  connections: {}', 'bomb:', '  - &a0 x', ...aliases].join('\n');
    expect(() => parse(bomb)).not.toThrow();
    const keys = Array.from({ length: 1000 }, (_, index) => `k${index}: 1`).join(', ');
    const merges = [
      'dbmanager: {}',
      `base: &b { ${keys} }`,
      ...Array.from({ length: 200 }, (_, index) => `m${index}: { <<: *b }`),
    ];
    expect(summaryOf(merges.join('\n'))[0]).toMatch(/merge keys copy more than 100000 entries$/);
  });

  it('nested without end is refused', () => {
    expect(summaryOf(`dbmanager: {}\ndeep: ${'['.repeat(200)}${']'.repeat(200)}`)).toEqual([
      expect.stringMatching(/is nested deeper than 100 levels$/),
    ]);
    expect(summaryOf(`dbmanager: {}\ndeep: ${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toEqual([
      expect.stringMatching(/is nested too deeply$/),
    ]);
  });
});
