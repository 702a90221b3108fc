import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { DbManagerError } from '../errors.js';
import { errorCode } from './text-file.js';

/** Variable with the keys themselves. */
export const SECRETS_KEY = 'DBMANAGER_SECRETS_KEY';
/** Variable with the path of a file that holds keys; a relative one is resolved against the working directory. */
export const SECRETS_KEY_FILE = 'DBMANAGER_SECRETS_KEY_FILE';

/** How an encrypted value begins, of any version. */
const ENCRYPTED = /^enc:v\d+:/;
/** `enc:v1:KEY:VALUE`: the id of the key, and nonce, ciphertext and tag in base64url. */
const FORM = /^enc:v1:([0-9a-f]{8}):([A-Za-z0-9_-]+)$/;
const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
/** The size that NIST SP 800-38D recommends; a random one may be used with a key up to 2^32 times. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What became of an encrypted value: its text, or why there is none, without anything secret. */
export type Decryption = { readonly text: string } | { readonly problem: string };

/**
 * Decrypts the value of the option at `option` (`connections.primary.password`). Undefined leaves the option without a value and
 * is not reported.
 */
export type Decrypt = (text: string, option: string) => Decryption | undefined;

/** True for what is to be decrypted before it is used. */
export function isEncrypted(text: string): boolean {
  return ENCRYPTED.test(text);
}

/**
 * Keys for values of a configuration, encrypted with AES-256-GCM. A value belongs to its option: under another key it cannot be
 * decrypted. Each key has an id, which tells nothing about it and stands in every text that was made with it.
 */
export class SecretKeys {
  readonly #keys: ReadonlyMap<string, KeyObject>;

  private constructor(keys: ReadonlyMap<string, KeyObject>) {
    this.#keys = keys;
  }

  /** A new key, as {@link parse} takes it. */
  static generate(): string {
    return randomBytes(KEY_BYTES).toString('base64url');
  }

  /**
   * Keys between white space or commas; a line may end in a comment after `#`. The first one encrypts, all of them decrypt. Throws
   * `DBM_INVALID_OPTION` for what is no key, and for no key at all.
   */
  static parse(text: string): SecretKeys {
    const words = text
      .replaceAll(/#.*/g, '')
      .split(/[\s,]+/)
      .filter((word) => word !== '');
    if (words.length === 0) throw new DbManagerError('DBM_INVALID_OPTION', 'there is no key in it');
    return new SecretKeys(new Map(words.map(readKey)));
  }

  /**
   * The keys of the environment: those of {@link SECRETS_KEY}, then those in the file of {@link SECRETS_KEY_FILE}; undefined when
   * neither is set. Throws `DBM_INVALID_OPTION`, which names the variable.
   */
  static of(
    env: Readonly<Record<string, string | undefined>>,
    readFile: (path: string) => string,
  ): SecretKeys | undefined {
    const text = env[SECRETS_KEY] ?? '';
    const file = env[SECRETS_KEY_FILE] ?? '';
    const sets = [
      ...(text === '' ? [] : [inVariable(SECRETS_KEY, () => SecretKeys.parse(text))]),
      ...(file === '' ? [] : [inVariable(SECRETS_KEY_FILE, () => SecretKeys.parse(read(file, readFile)))]),
    ];
    return sets.length === 0 ? undefined : new SecretKeys(new Map(sets.flatMap((keys) => [...keys.#keys])));
  }

  /** The value to write for the option, encrypted with the first key; another one each time. */
  encrypt(text: string, option: string): string {
    const [[id, key]] = [...this.#keys] as [[string, KeyObject]];
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(context(option));
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `enc:v1:${id}:${sealed.toString('base64url')}`;
  }

  decrypt(text: string, option: string): Decryption {
    const [, id, payload] = FORM.exec(text) ?? [];
    const sealed = Buffer.from(payload ?? '', 'base64url');
    const whole = sealed.length >= NONCE_BYTES + TAG_BYTES && sealed.toString('base64url') === payload;
    if (id === undefined || !whole) {
      return { problem: `is no encrypted value of this version; make one with: dbmanager secrets encrypt '${option}'` };
    }
    const key = this.#keys.get(id);
    if (key === undefined) {
      return {
        problem: `is encrypted with the key ${id}, which is not given; given: ${[...this.#keys.keys()].join(', ')}`,
      };
    }
    try {
      return { text: open(sealed, key, option) };
    } catch {
      // All that the cipher can tell is that something does not fit.
      return { problem: 'cannot be decrypted: it was changed, or was encrypted for another option than this one' };
    }
  }
}

/** Decrypts with the keys of the environment, which are read when the first value needs them. */
export function environmentDecrypt(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): Decrypt {
  let keys: SecretKeys | undefined;
  return (text, option) => {
    try {
      keys ??= SecretKeys.of(env, readFile);
    } catch (error) {
      return { problem: `is encrypted, and ${(error as DbManagerError).message}` };
    }
    return (
      keys?.decrypt(text, option) ?? {
        problem: `is encrypted, and there is no key; set ${SECRETS_KEY} or ${SECRETS_KEY_FILE}`,
      }
    );
  };
}

function readKey(word: string): [id: string, key: KeyObject] {
  const bytes = Buffer.from(word, 'base64url');
  if (bytes.length !== KEY_BYTES || bytes.toString('base64url') !== word) {
    throw new DbManagerError('DBM_INVALID_OPTION', 'what it holds is no key; make one with: dbmanager secrets key');
  }
  const id = createHash('sha256').update('dbmanager secrets key id').update(bytes).digest('hex').slice(0, 8);
  return [id, createSecretKey(bytes)];
}

function read(path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (error) {
    throw new DbManagerError('DBM_INVALID_OPTION', `${JSON.stringify(path)} cannot be read: ${errorCode(error)}`);
  }
}

function inVariable(variable: string, work: () => SecretKeys): SecretKeys {
  try {
    return work();
  } catch (error) {
    throw new DbManagerError('DBM_INVALID_OPTION', `${variable} is wrong: ${(error as DbManagerError).message}`, {
      option: variable,
    });
  }
}

function open(sealed: Buffer, key: KeyObject, option: string): string {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(context(option))
    .setAuthTag(sealed.subarray(-TAG_BYTES));
  const opened = [decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
  return Buffer.concat(opened).toString('utf8');
}

/** What is authenticated with a value: that it is one of ours, and the option it is for. */
function context(option: string): Buffer {
  return Buffer.from(`dbmanager secret v1 ${option}`);
}
