import { dirname, resolve } from 'node:path';
import {
  type BridgeNames,
  ConfigError,
  type ConfigProblem,
  type ConnectionCheck,
  type ConnectionType,
  type Decrypt,
  environmentDecrypt,
  isMapping,
  type ManagerConfig,
  type PlacedProblem,
  type ResolveContext,
  readTextFile,
  resolveConfig,
  textOf,
} from '@dbmanager/core';
import { ConfigDocument, PROFILES } from './config-document.js';
import { type EnvironmentLayer, environmentLayer } from './environment-layer.js';
import { keyPrivacy } from './key-privacy.js';
import { mergeLayers } from './layers.js';
import { toPlainValues } from './plain-values.js';
import { ProblemLog } from './problem-log.js';
import { type Located, locate, type SourceEntry, type SourceNode } from './source-node.js';
import type { SubstitutionSources } from './substitution.js';

/** What a text is read against. */
export interface ParseConfigOptions {
  /** Name of the file, for places; relative paths in it are resolved against its folder. */
  readonly file: string;
  /** The types a connection may have. */
  readonly providers: readonly ConnectionType[];
  /** What `default_orm` may name besides `native`; left out, any name is accepted. */
  readonly bridges?: readonly BridgeNames[] | undefined;
  /** Further rules on what every connection has. Default: none. */
  readonly checks?: readonly ConnectionCheck[] | undefined;
  /** Which of `profiles` applies. Default: `DBMANAGER_PROFILE` of `env`, else none. */
  readonly profile?: string | undefined;
  /** Variables to substitute, to override with, and with the keys of encrypted values. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Reads the files that `${file:…}`, `<secret>_file` and `DBMANAGER_SECRETS_KEY_FILE` name. Default: from disk, as UTF-8. */
  readonly readFile?: ((path: string) => string) | undefined;
}

/** A checked configuration and where it came from. */
export interface LoadedConfig {
  /** Complete and deeply frozen. */
  readonly config: ManagerConfig;
  readonly warnings: readonly PlacedProblem[];
  /** As it was given. */
  readonly file: string;
  /** The profile that was applied. */
  readonly profile: string | undefined;
}

/**
 * Reads a configuration from the text, or the bytes, of a YAML file: substitution, layers (built-in defaults, global
 * keys, connection, profile, environment; the later wins) and validation. Opens no connection; reads only the files that
 * the text names.
 *
 * Throws a `ConfigError` with all problems, each with its place, sorted by place; nothing else, whatever the text.
 */
export function parseConfig(text: string | Uint8Array, options: ParseConfigOptions): LoadedConfig {
  return new ConfigParser(text, options).parse();
}

/** A part of the file that holds a configuration: the section without its profiles, or one of them. */
interface FileLayer {
  readonly node: SourceNode;
  /** Where it stands in the section. */
  readonly path: readonly string[];
  readonly values: unknown;
}

/** Where secrets come from that are not in the text. */
type SecretSources = Required<Pick<ResolveContext, 'readFile' | 'decrypt'>>;

/** For a profile that is not used: its files may not be here, nor its keys. */
const UNOPENED: SecretSources = { readFile: () => '', decrypt: () => undefined };

/** One reading of one text. */
class ConfigParser {
  readonly #options: ParseConfigOptions;
  readonly #sources: SubstitutionSources;
  readonly #decrypt: Decrypt;
  readonly #log = new ProblemLog();
  readonly #document: ConfigDocument;

  constructor(text: string | Uint8Array, options: ParseConfigOptions) {
    const { file, providers, env = process.env, readFile = readTextFile } = options;
    this.#options = options;
    this.#sources = { env, readFile, baseDir: dirname(resolve(file)) };
    this.#decrypt = this.#hiding(environmentDecrypt(env, readFile));
    this.#document = new ConfigDocument(text, file, providers, this.#log);
  }

  parse(): LoadedConfig {
    const { base: section, profiles } = this.#document;
    if (section === undefined) throw this.#log.failure();
    const base = this.#fileLayer(section, [], true);
    const { DBMANAGER_PROFILE } = this.#sources.env;
    const name = this.#options.profile ?? (DBMANAGER_PROFILE === '' ? undefined : DBMANAGER_PROFILE);
    const chosen = this.#choose(name, profiles);
    const config = this.#resolve(chosen === undefined ? [base] : [base, this.#profileLayer(chosen, true)]);
    for (const profile of profiles) if (profile !== chosen) this.#checkUnused(base, this.#profileLayer(profile, false));
    if (config === undefined || this.#log.hasErrors) throw this.#log.failure();
    return { config, warnings: this.#log.sorted(), file: this.#options.file, profile: name };
  }

  #choose(name: string | undefined, profiles: readonly SourceEntry[]): SourceEntry | undefined {
    if (name === undefined) return undefined;
    const chosen = profiles.find(({ key }) => key.text === name);
    if (chosen !== undefined) return chosen;
    const names = profiles.map(({ key }) => key.text);
    const list = names.length === 0 ? 'the file has none' : `there are: ${names.join(', ')}`;
    this.#log.add({
      path: [PROFILES],
      rule: 'unknown-profile',
      message: `no profile is named ${JSON.stringify(name)}; ${list}`,
    });
    return undefined;
  }

  #profileLayer({ key, value }: SourceEntry, used: boolean): FileLayer {
    return this.#fileLayer(value, [PROFILES, key.text], used);
  }

  /** In a layer that is not used, a variable or file that is not there does not matter, and no file is read. */
  #fileLayer(node: SourceNode, path: readonly string[], used: boolean): FileLayer {
    const values = toPlainValues(node, [], {
      sources: used ? this.#sources : { ...this.#sources, readFile: leaveUnread },
      describe: (range) => this.#document.file.describe(range),
      report: (inner, problem, range) => {
        if (!used && (problem.rule === 'unset-variable' || problem.rule === 'unreadable-file')) return;
        this.#log.add({ path: [...path, ...inner], ...problem }, this.#document.file.place(range));
      },
    });
    return { node, path, values };
  }

  #resolve(layers: readonly FileLayer[]): ManagerConfig | undefined {
    const merged = layers.map(({ values }) => values).reduce(mergeLayers);
    const environment = environmentLayer(this.#sources.env, merged, this.#options.providers);
    for (const problem of environment.problems) this.#log.add(problem);
    const { config, problems } = this.#attempt(mergeLayers(merged, environment.values), {
      readFile: this.#sources.readFile,
      decrypt: this.#decrypt,
    });
    for (const problem of problems) this.#place(problem, layers, environment);
    return config;
  }

  /** Reports what is wrong in a profile that does not apply, so that a mistake shows before the profile is needed. */
  #checkUnused(base: FileLayer, profile: FileLayer): void {
    const layers = [base, profile];
    const { problems } = this.#attempt(mergeLayers(base.values, profile.values), UNOPENED);
    for (const problem of problems) if (deepest(layers, problem.path).layer === profile) this.#place(problem, layers);
  }

  /** What was decrypted is in no message. */
  #hiding(decrypt: Decrypt): Decrypt {
    return (text, option) => {
      const result = decrypt(text, option);
      if (result !== undefined && 'text' in result) this.#log.hide(result.text);
      return result;
    };
  }

  #attempt(values: unknown, secrets: SecretSources): Attempt {
    const { providers, bridges, checks } = this.#options;
    const { baseDir } = this.#sources;
    const attempt = attemptToResolve(values, { providers, bridges, checks, baseDir, ...secrets });
    if (attempt.problems.length > 0) {
      for (const secret of secretsIn(values, keyPrivacy(providers).secret)) this.#log.hide(secret);
    }
    return attempt;
  }

  #place(problem: ConfigProblem, layers: readonly FileLayer[], environment?: EnvironmentLayer): void {
    const variable = environment?.variableAt(problem.path);
    if (variable !== undefined) {
      this.#log.add({ ...problem, message: `${problem.message} (set by ${variable})` });
      return;
    }
    const { layer, located } = deepest(layers, problem.path);
    const atKey = problem.atKey === true || located.depth < problem.path.length;
    const range = atKey ? (located.key ?? located.node) : located.node;
    this.#log.add({ ...problem, path: [...layer.path, ...problem.path] }, this.#document.file.place(range));
  }
}

/** The layer in which most of `path` exists, and where it ends there; of several the uppermost. */
function deepest(layers: readonly FileLayer[], path: ConfigProblem['path']): { layer: FileLayer; located: Located } {
  return layers
    .map((layer) => ({ layer, located: locate(layer.node, path) }))
    .reduce((best, next) => (next.located.depth >= best.located.depth && next.located.depth > 0 ? next : best));
}

interface Attempt {
  /** Undefined when a problem is an error. */
  readonly config?: ManagerConfig;
  readonly problems: readonly ConfigProblem[];
}

function attemptToResolve(values: unknown, context: ResolveContext): Attempt {
  try {
    const { config, warnings } = resolveConfig(values, context);
    return { config, problems: warnings };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}

function leaveUnread(path: string): never {
  throw new Error(`${path} is not read`);
}

/** The values written under keys that hold secrets. */
function secretsIn(values: unknown, keys: ReadonlySet<string>): readonly string[] {
  const connections = isMapping(values) && isMapping(values.connections) ? Object.values(values.connections) : [];
  return connections
    .filter(isMapping)
    .flatMap((connection) =>
      Object.entries(connection).flatMap(([key, value]) => (keys.has(key) ? (textOf(value) ?? []) : [])),
    );
}
