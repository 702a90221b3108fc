import { ConfigError, type ConfigProblem, type ConnectionType, errorCode, suggestion } from '@dbmanager/core';
import { keyPrivacy } from './key-privacy.js';
import type { ProblemLog } from './problem-log.js';
import { readSource } from './read-source.js';
import { SecretMask } from './secret-mask.js';
import { SourceFile } from './source-file.js';
import { entryOf, type SourceEntry, type SourceMapping, type SourceNode, type SourceRange } from './source-node.js';

/** Top-level key of the file that holds everything; others are other programs'. */
export const SECTION = 'dbmanager';
/** Key of the section that holds its variants. */
export const PROFILES = 'profiles';

/** A text as far as its structure goes: where the configuration and its profiles stand. Reports what is wrong with that. */
export class ConfigDocument {
  readonly file: SourceFile;
  /** The section without its profiles; undefined when there is nothing to go on with, which has been reported. */
  readonly base: SourceMapping | undefined;
  /** The variants by name; every value is a mapping. */
  readonly profiles: readonly SourceEntry[];
  readonly #log: ProblemLog;

  /** Throws a `ConfigError` when the bytes are no text at all. `types` tell which values may be shown. */
  constructor(input: string | Uint8Array, name: string, types: readonly ConnectionType[], log: ProblemLog) {
    const text = decode(input, name);
    const { root, problems } = readSource(text);
    this.#log = log;
    this.file = new SourceFile(name, text, () => root && new SecretMask(root, SECTION, keyPrivacy(types)));
    for (const { rule, message, ...range } of problems) this.#report([], { rule, message }, range);
    const section = root && this.#findSection(root);
    this.base = section && without(section, PROFILES);
    this.profiles = section === undefined ? [] : this.#profilesOf(section);
  }

  #findSection(root: SourceNode): SourceMapping | undefined {
    if (root.kind !== 'mapping') {
      const what = root.kind === 'scalar' && root.text === '' ? 'the file is empty' : 'the file is no mapping of keys';
      this.#report([], { rule: 'no-section', message: `${what}; it needs the section "${SECTION}"` }, root);
      return undefined;
    }
    const section = entryOf(root, SECTION);
    if (section === undefined) {
      const near = suggestion(
        SECTION,
        root.entries.map(({ key }) => key.text),
      );
      this.#report([], { rule: 'no-section', message: `the file has no section "${SECTION}"${near}` }, root);
      return undefined;
    }
    this.#reportRepeated(root, [], SECTION);
    if (section.value.kind === 'mapping') return section.value;
    if ('refused' in section.value) return undefined;
    const message = 'must be a mapping of keys';
    this.#report([SECTION], { rule: 'wrong-type', message }, section.key);
    return undefined;
  }

  #profilesOf(section: SourceMapping): readonly SourceEntry[] {
    const profiles = entryOf(section, PROFILES);
    if (profiles === undefined) return [];
    this.#reportRepeated(section, [], PROFILES);
    if (profiles.value.kind !== 'mapping') {
      this.#report([PROFILES], { rule: 'wrong-type', message: 'must be a mapping of names' }, profiles.key);
      return [];
    }
    this.#reportRepeated(profiles.value, [PROFILES]);
    return profiles.value.entries.filter((entry) => this.#isProfile(entry));
  }

  #isProfile({ key, value }: SourceEntry): boolean {
    if (value.kind === 'mapping') return true;
    if ('refused' in value) return false;
    this.#report([PROFILES, key.text], { rule: 'wrong-type', message: 'must be a mapping of keys' }, key);
    return false;
  }

  /** Reports keys that are written twice in a mapping that is not turned into values as a whole; or one of them. */
  #reportRepeated(mapping: SourceMapping, path: readonly string[], only?: string): void {
    for (const entry of mapping.entries) {
      const first = entryOf(mapping, entry.key.text) ?? entry;
      if (first === entry || (only ?? entry.key.text) !== entry.key.text) continue;
      const message = `is written twice; the first is in ${this.file.describe(first.key)}`;
      this.#report([...path, entry.key.text], { rule: 'duplicate-key', message }, entry.key);
    }
  }

  #report(
    path: ConfigProblem['path'],
    { rule, message }: Pick<ConfigProblem, 'rule' | 'message'>,
    range: SourceRange,
  ): void {
    this.#log.add({ path, rule, message }, this.file.place(range));
  }
}

function decode(input: string | Uint8Array, file: string): string {
  if (typeof input === 'string') return input.replace(/^\uFEFF/, '');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(input);
  } catch (error) {
    if (errorCode(error) !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error;
    // the decoder does not say where
    const place = { file, line: 1, column: 1 };
    throw new ConfigError([{ path: [], rule: 'encoding', message: 'this is no text in UTF-8', place }]);
  }
}

function without(mapping: SourceMapping, key: string): SourceMapping {
  return { ...mapping, entries: mapping.entries.filter((entry) => entry.key.text !== key) };
}
