import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { environmentDecrypt, SecretKeys } from './secret-keys.js';

const PASSWORD = 'connections.primary.password';

function never(path: string): never {
  throw Object.assign(new Error(path), { code: 'ENOENT' });
}

describe('a key for secrets', () => {
  it('decrypts what it encrypted, for the same option, whatever the text', () => {
    const keys = SecretKeys.parse(SecretKeys.generate());
    for (const text of ['', 'secret', 'pässwörd 😀\n', 'x'.repeat(10_000)]) {
      expect(keys.decrypt(keys.encrypt(text, PASSWORD), PASSWORD)).toEqual({ text });
    }
  });

  it('makes another text each time, which shows nothing of the value or the key', () => {
    const key = SecretKeys.generate();
    const keys = SecretKeys.parse(key);
    const texts = Array.from({ length: 50 }, () => keys.encrypt('secret', PASSWORD));
    expect(new Set(texts).size).toBe(50);
    expect(texts.join()).not.toContain(Buffer.from('secret').toString('base64url').slice(0, 7));
    expect(inspect(keys, { depth: 9, showHidden: true })).not.toContain(key.slice(0, 8));
  });

  it('does not decrypt for another option, nor a text of which any character was changed', () => {
    const keys = SecretKeys.parse(SecretKeys.generate());
    const text = keys.encrypt('secret', PASSWORD);
    const changed = /cannot be decrypted/;
    expect(keys.decrypt(text, 'connections.replica.password')).toEqual({ problem: expect.stringMatching(changed) });
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A';
      const result = keys.decrypt(text.slice(0, at) + other + text.slice(at + 1), PASSWORD);
      expect(result).toEqual({ problem: expect.any(String) });
    }
  });

  it('says which key a text needs when it is not given, and needs it only then', () => {
    const [old, young] = [SecretKeys.generate(), SecretKeys.generate()];
    const text = SecretKeys.parse(old).encrypt('secret', PASSWORD);
    const [, , id] = text.split(':');
    expect(SecretKeys.parse(young).decrypt(text, PASSWORD)).toEqual({
      problem: expect.stringContaining(`the key ${id}, which is not given`),
    });
    const both = SecretKeys.parse(`${young}, # the new one\n${old}\n`);
    expect(both.decrypt(text, PASSWORD)).toEqual({ text: 'secret' });
    expect(both.encrypt('x', PASSWORD).split(':')[2]).not.toBe(id);
  });

  it.each(['', ' # nothing\n', 'short', 'A'.repeat(44), `${'A'.repeat(42)}!`])('is not %j', (text) => {
    expect(() => SecretKeys.parse(text)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION' }));
  });

  it.each(['enc:v1:', 'enc:v2:00000000:AAAA', 'enc:v1:00000000:AAAA', 'enc:v1:key:AAAA'])('decrypts no %j', (text) => {
    const keys = SecretKeys.parse(SecretKeys.generate());
    expect(keys.decrypt(text, PASSWORD)).toEqual({ problem: expect.stringContaining('is no encrypted value') });
  });
});

describe('the environment', () => {
  it('gives keys in a variable, in a file, or both', () => {
    const [first, second] = [SecretKeys.generate(), SecretKeys.generate()];
    const env = { DBMANAGER_SECRETS_KEY: first, DBMANAGER_SECRETS_KEY_FILE: '/run/key' };
    const decrypt = environmentDecrypt(env, (path) => (path === '/run/key' ? `${second}\n` : never(path)));
    for (const key of [first, second]) {
      expect(decrypt(SecretKeys.parse(key).encrypt('x', PASSWORD), PASSWORD)).toEqual({ text: 'x' });
    }
  });

  it.each([
    [{}, /there is no key; set DBMANAGER_SECRETS_KEY/],
    [{ DBMANAGER_SECRETS_KEY: 'hunter2' }, /DBMANAGER_SECRETS_KEY is wrong: what it holds is no key/],
    [{ DBMANAGER_SECRETS_KEY_FILE: 'none' }, /DBMANAGER_SECRETS_KEY_FILE is wrong: "none" cannot be read: ENOENT/],
  ])('without a key that can be used (%j) is a problem of the value', (env, problem) => {
    const text = SecretKeys.parse(SecretKeys.generate()).encrypt('x', PASSWORD);
    const result = environmentDecrypt(env, never)(text, PASSWORD);
    expect(result).toEqual({ problem: expect.stringMatching(problem) });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});
