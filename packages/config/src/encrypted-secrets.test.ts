import { inspect } from 'node:util';
import { type ConfigError, Secret, SecretKeys } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { connectionsOf, parse, problemsOf, summaryOf } from '../test/fake-types.js';

const KEY = SecretKeys.generate();
const OTHER_KEY = SecretKeys.generate();
const ENV = { DBMANAGER_SECRETS_KEY: KEY };
const PASSWORD = 'correct horse battery staple';

function encrypted(text: string, option: string, key = KEY): string {
  return SecretKeys.parse(key).encrypt(text, option);
}

/** One connection `a` with these lines. */
function withKeys(...lines: string[]): string {
  return ['dbmanager:', '  connections:', '    a:', '      type: server', ...lines.map((line) => `      ${line}`)].join(
    '\n',
  );
}

function revealed(value: unknown): unknown {
  return value instanceof Secret ? value.reveal() : value;
}

describe('seeds 3: Security: an encrypted secret in the configuration', () => {
  const value = encrypted(PASSWORD, 'connections.a.password');

  it('is decrypted with the key of the environment, or of a file that it names', () => {
    const text = withKeys(`password: ${value}`);
    expect(revealed(connectionsOf(parse(text, { env: ENV })).a?.password)).toBe(PASSWORD);
    const env = { DBMANAGER_SECRETS_KEY_FILE: '/run/key' };
    const readFile = (path: string) => `# ${path}\n${OTHER_KEY}\n${KEY}\n`;
    expect(revealed(connectionsOf(parse(text, { env, readFile })).a?.password)).toBe(PASSWORD);
  });

  it('is not shown by util.inspect, JSON or String of the configuration, nor is any password', () => {
    const dsn = encrypted(`server://app:${PASSWORD}@db/x`, 'connections.b.dsn');
    const text = `${withKeys(`password: ${value}`)}\n    b: { type: server, dsn: "${dsn}", password: "plain ${PASSWORD}" }`;
    const loaded = parse(text, { env: ENV });
    const shown = [
      inspect(loaded, { depth: 20, showHidden: true, getters: true }),
      inspect(loaded.config, { depth: 20 }),
      JSON.stringify(loaded),
      String(loaded.config.connections.map(({ options }) => Object.values(options).join())),
    ].join('\n');
    expect(revealed(connectionsOf(loaded).b?.dsn)).toContain(PASSWORD);
    for (const secret of [PASSWORD, KEY, value]) expect(shown).not.toContain(secret);
  });

  it('may come by a variable, from the file of the secret, and from the environment over the file', () => {
    const read = (text: string, options: object) => revealed(connectionsOf(parse(text, options)).a?.password);
    expect(read(withKeys(`password: $\{PW}`), { env: { ...ENV, PW: value } })).toBe(PASSWORD);
    expect(read(withKeys('password_file: pw'), { env: ENV, readFile: () => `${value}\n` })).toBe(PASSWORD);
    expect(read(withKeys('password: old'), { env: { ...ENV, DBMANAGER_CONNECTIONS_A_PASSWORD: value } })).toBe(
      PASSWORD,
    );
  });

  it.each([
    ['without a key', value, {}, /is encrypted, and there is no key/],
    ['with another key', value, { DBMANAGER_SECRETS_KEY: OTHER_KEY }, /which is not given/],
    ['with a bad key', value, { DBMANAGER_SECRETS_KEY: 'hunter2' }, /DBMANAGER_SECRETS_KEY is wrong/],
    ['of another option', encrypted(PASSWORD, 'connections.b.password'), ENV, /for another option/],
    ['that was changed', changed(value), ENV, /it was changed/],
    ['that is cut short', value.slice(0, 30), ENV, /is no encrypted value/],
  ])('%s is an error with its place, which shows no secret', (_, written, env, message) => {
    const text = withKeys(`password: ${written}`);
    const [line] = summaryOf(text, { env });
    expect(line).toMatch(/^databases\.yaml:5:17 error connections\.a\.password: /);
    expect(line).toMatch(message);
    const problems = problemsOf(text, { env });
    for (const secret of [PASSWORD, KEY, 'hunter2', written.slice(20)]) expect(problems).not.toContain(secret);
    let error: ConfigError | undefined;
    try {
      parse(text, { env });
    } catch (thrown) {
      error = thrown as ConfigError;
    }
    expect(error).toMatchObject({ code: 'DBM_CONFIG_INVALID', connectionName: 'a' });
    expect(error?.problems[0]).toMatchObject({ rule: 'undecryptable', place: { line: 5, column: 17 } });
  });

  it('is hidden in the messages of other problems too', () => {
    const text = withKeys(`password: ${encrypted('a-user', 'connections.a.password')}`, 'mode: a-user');
    expect(problemsOf(text, { env: ENV }).split('\n')[0]).not.toContain('a-user');
  });

  it('is refused under a key that holds no secret', () => {
    expect(summaryOf(withKeys(`host: ${value}`), { env: ENV })).toEqual([
      'databases.yaml:5:13 error connections.a.host: cannot be encrypted: its value is no secret',
    ]);
  });

  it('of a profile is decrypted only when that applies', () => {
    const text = `${withKeys('password: dev')}\n  profiles:\n    prod:\n      connections:\n        a: { password: "${value}" }`;
    expect(revealed(connectionsOf(parse(text)).a?.password)).toBe('dev');
    expect(revealed(connectionsOf(parse(text, { profile: 'prod', env: ENV })).a?.password)).toBe(PASSWORD);
    expect(problemsOf(text, { profile: 'prod' })).toContain('there is no key');
  });
});

/** The text with its last character but one changed. */
function changed(text: string): string {
  const at = text.length - 2;
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
}
