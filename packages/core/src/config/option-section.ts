import { resolve } from 'node:path';
import type { OptionSpec, OptionTable } from '../option-table.js';
import type { ConfigProblem } from '../provider.js';
import { Secret } from '../secret.js';
import { formatPath } from './config-error.js';
import { readOption, textOf } from './option-value.js';
import { UNRESOLVED } from './plain-scalar.js';
import { type Decrypt, isEncrypted } from './secret-keys.js';
import { errorCode, withoutFinalNewline } from './text-file.js';

/** What reading a section needs besides the section. */
export interface SectionReader {
  /** What relative paths are resolved against. */
  readonly baseDir: string;
  /** Gives a file's text, or throws. */
  readonly readFile: (path: string) => string;
  readonly decrypt: Decrypt;
  readonly report: (problem: ConfigProblem) => void;
  /** `; did you mean "x"?` for an unknown key, or the empty string. */
  readonly suggest: (key: string, known: () => Iterable<string>) => string;
}

/** The keys of one mapping, read by a table. */
export interface Section {
  /** YAML key to its value as the options hold it. */
  readonly values: ReadonlyMap<string, unknown>;
  /** Keys that were written but gave no value, which has been reported. */
  readonly broken: ReadonlySet<string>;
}

/** Ending of the key that names the file a secret is read from. */
export const SECRET_FILE_SUFFIX = '_file';

/** Every key a table allows: its own and `<secret>_file` for each secret. */
export function keysOf(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([key, spec]) =>
    spec.kind === 'secret' ? [key, key + SECRET_FILE_SUFFIX] : [key],
  );
}

/** The key of the secret that `key` names the file of; undefined when it is no such key. */
export function secretOfFileKey(key: string, table: OptionTable): string | undefined {
  if (!key.endsWith(SECRET_FILE_SUFFIX)) return undefined;
  const secret = key.slice(0, -SECRET_FILE_SUFFIX.length);
  return specOf(secret, table)?.kind === 'secret' ? secret : undefined;
}

/** The specification of a key, also for keys such as `constructor` that every object seems to have. */
export function specOf(key: string, table: OptionTable): OptionSpec | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/**
 * Reads every key of `input` by `table`, except those in `others`, which the caller reads. Keys in neither are reported
 * as unknown.
 */
export function readSection(
  input: Readonly<Record<string, unknown>>,
  table: OptionTable,
  others: readonly string[],
  path: readonly (string | number)[],
  reader: SectionReader,
): Section {
  const values = new Map<string, unknown>();
  const broken = new Set<string>();
  const keep = (key: string, value: unknown) => (value === UNRESOLVED ? broken.add(key) : values.set(key, value));
  for (const [key, written] of Object.entries(input)) {
    if (others.includes(key)) continue;
    const spec = specOf(key, table);
    const secret = spec === undefined ? secretOfFileKey(key, table) : undefined;
    if (spec !== undefined) keep(key, readValue(written, spec, [...path, key], reader));
    else if (secret === undefined) reportUnknownKey(key, () => [...keysOf(table), ...others], path, reader);
    else if (!Object.hasOwn(input, secret)) keep(secret, readSecretFile(written, secret, [...path, key], reader));
    else reportBothSecrets(secret, path, reader);
  }
  return { values, broken };
}

function readValue(
  written: unknown,
  spec: OptionSpec,
  path: readonly (string | number)[],
  reader: SectionReader,
): unknown {
  if (written === UNRESOLVED) return UNRESOLVED;
  const text = textOf(written);
  if (text !== undefined && isEncrypted(text)) return readEncrypted(text, spec, path, reader);
  const { baseDir, report } = reader;
  const result = readOption(written, spec, baseDir);
  if ('value' in result) return result.value;
  const { rule, message, path: inner } = result.refusal;
  report({ path: [...path, ...(inner ?? [])], rule, message });
  return UNRESOLVED;
}

function readEncrypted(
  text: string,
  { kind }: OptionSpec,
  path: readonly (string | number)[],
  reader: SectionReader,
): unknown {
  if (kind === 'secret' || kind === 'secret-string') return decrypted(text, path, path, reader);
  reader.report({ path, rule: 'not-allowed', message: 'cannot be encrypted: its value is no secret' });
  return UNRESOLVED;
}

/**
 * The secret in an encrypted text.
 *
 * @param option what it was encrypted for
 * @param path where it is written
 */
function decrypted(
  text: string,
  option: readonly (string | number)[],
  path: readonly (string | number)[],
  { decrypt, report }: SectionReader,
): unknown {
  const result = decrypt(text, formatPath(option));
  if (result === undefined) return UNRESOLVED;
  if ('text' in result) return new Secret(result.text);
  report({ path, rule: 'undecryptable', message: result.problem });
  return UNRESOLVED;
}

function readSecretFile(
  written: unknown,
  secret: string,
  path: readonly (string | number)[],
  reader: SectionReader,
): unknown {
  const { baseDir, readFile, report } = reader;
  if (written === UNRESOLVED) return UNRESOLVED;
  const name = textOf(written);
  if (name === undefined || name === '') {
    report({ path, rule: 'wrong-type', message: 'must be the path of a file' });
    return UNRESOLVED;
  }
  let text: string;
  try {
    text = withoutFinalNewline(readFile(resolve(baseDir, name)));
  } catch (error) {
    report({ path, rule: 'unreadable-file', message: `cannot read ${JSON.stringify(name)}: ${errorCode(error)}` });
    return UNRESOLVED;
  }
  return isEncrypted(text) ? decrypted(text, [...path.slice(0, -1), secret], path, reader) : new Secret(text);
}

function reportUnknownKey(
  key: string,
  known: () => Iterable<string>,
  path: readonly (string | number)[],
  { report, suggest }: SectionReader,
): void {
  report({
    path: [...path, key],
    rule: 'unknown-key',
    message: `unknown key${suggest(key, known)}`,
    atKey: true,
  });
}

function reportBothSecrets(secret: string, path: readonly (string | number)[], { report }: SectionReader): void {
  const fileKey = secret + SECRET_FILE_SUFFIX;
  report({
    path: [...path, fileKey],
    rule: 'conflict',
    message: `stands beside ${secret}; keep one of them`,
    atKey: true,
  });
}
