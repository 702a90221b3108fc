import { resolve } from 'node:path';
import type { OptionSpec, OptionTable } from '../option-table.js';
import type { ConfigProblem } from '../provider.js';
import { Secret } from '../secret.js';
import { readOption, textOf } from './option-value.js';
import { UNRESOLVED } from './plain-scalar.js';
import { errorCode, withoutFinalNewline } from './text-file.js';

/** What reading a section needs besides the section. */
export interface SectionReader {
  /** What relative paths are resolved against. */
  readonly baseDir: string;
  /** Gives a file's text, or throws. */
  readonly readFile: (path: string) => string;
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
    else if (!Object.hasOwn(input, secret)) keep(secret, readSecretFile(written, [...path, key], reader));
    else reportBothSecrets(secret, path, reader);
  }
  return { values, broken };
}

function readValue(
  written: unknown,
  spec: OptionSpec,
  path: readonly (string | number)[],
  { baseDir, report }: SectionReader,
): unknown {
  if (written === UNRESOLVED) return UNRESOLVED;
  const result = readOption(written, spec, baseDir);
  if ('value' in result) return result.value;
  const { rule, message, path: inner } = result.refusal;
  report({ path: [...path, ...(inner ?? [])], rule, message });
  return UNRESOLVED;
}

function readSecretFile(
  written: unknown,
  path: readonly (string | number)[],
  { baseDir, readFile, report }: SectionReader,
): unknown {
  if (written === UNRESOLVED) return UNRESOLVED;
  const name = textOf(written);
  if (name === undefined || name === '') {
    report({ path, rule: 'wrong-type', message: 'must be the path of a file' });
    return UNRESOLVED;
  }
  try {
    return new Secret(withoutFinalNewline(readFile(resolve(baseDir, name))));
  } catch (error) {
    report({ path, rule: 'unreadable-file', message: `cannot read ${JSON.stringify(name)}: ${errorCode(error)}` });
    return UNRESOLVED;
  }
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
