import { CONNECTION_OPTIONS, type ConnectionConfig, type ManagerConfig } from '../connection-options.js';
import { defineOptions, type OptionTable, resolvedKey } from '../option-table.js';
import type { ConfigProblem, Provider } from '../provider.js';
import { ConfigError, isError } from './config-error.js';
import { applyCrossFieldRules, type MutableOptions, ORIGIN, type Origin } from './cross-field-rules.js';
import { MAX_NEAR_MISSES, suggestion } from './nearest.js';
import { readSection, type Section, type SectionReader } from './option-section.js';
import { defaultOf, isMapping, show, textOf } from './option-value.js';
import { UNRESOLVED } from './plain-scalar.js';
import { type Decrypt, environmentDecrypt } from './secret-keys.js';
import { readTextFile } from './text-file.js';

/** A configuration as plain values: the keys of the YAML file, written as there. A secret may be a `Secret`. */
export interface ConfigInput {
  /** May be left out when there is one connection, which then is the default. */
  readonly default_connection?: string;
  /** Name to options. */
  readonly connections?: Readonly<Record<string, { readonly type: string } & Readonly<Record<string, unknown>>>>;
  /** Any connection option of scope `both`: the default for every connection. */
  readonly [globalKey: string]: unknown;
}

/** What validation needs to know of a provider; every {@link Provider} is one. */
export type ConnectionType = Pick<Provider, 'type' | 'aliases' | 'options' | 'check' | 'checkAll'>;

/** What validation needs to know of a bridge; every `Bridge` is one. */
export interface BridgeNames {
  /** As in `default_orm`. */
  readonly name: string;
  /** Types it can drive. */
  readonly types: readonly string[];
}

/** Rules on keys that every connection has, by who uses these; paths are from the connection. */
export type ConnectionCheck = (connection: ConnectionConfig) => readonly ConfigProblem[];

/** What a configuration is checked against. */
export interface ResolveContext {
  /** The types a connection may have. */
  readonly providers: readonly ConnectionType[];
  /** What `default_orm` may name besides `native`; left out, any name is accepted. */
  readonly bridges?: readonly BridgeNames[] | undefined;
  /** Further rules. Default: none. */
  readonly checks?: readonly ConnectionCheck[] | undefined;
  /** What relative paths are resolved against. Default: the working directory. */
  readonly baseDir?: string | undefined;
  /**
   * The connections wrap pools that a caller made: keys that say where the database is may be missing, and providers'
   * rules, which are about those, are not applied.
   */
  readonly adopting?: boolean | undefined;
  /** Reads the files that hold secrets. Default: from disk, as UTF-8. */
  readonly readFile?: ((path: string) => string) | undefined;
  /** Decrypts values that are kept encrypted. Default: with the keys that `process.env` names. */
  readonly decrypt?: Decrypt | undefined;
}

/** A checked configuration. */
export interface ResolvedConfig {
  /** Complete and deeply frozen. */
  readonly config: ManagerConfig;
  readonly warnings: readonly ConfigProblem[];
}

/** Keys of the root that are no defaults for connections. */
export const ROOT_OPTIONS = defineOptions({
  default_connection: {
    kind: 'string',
    description: 'The connection `getDefault()` gives. With a single connection: that one.',
    examples: ['primary'],
  },
});

/** Keys that may stand beside `connections` as the default for every connection. */
export const GLOBAL_OPTIONS: OptionTable = Object.fromEntries(
  Object.entries<OptionTable[string]>(CONNECTION_OPTIONS).filter(([, { scope }]) => scope === 'both'),
);

/** The name of the ORM that is none. */
export const NATIVE = 'native';

const CONNECTION_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const ROOT_KEYS = ['connections'];
const CONNECTION_KEYS = ['type', 'name'];

/** Every key that a connection of this type may have, `type` and `name` aside. */
export function connectionTable({ options }: Pick<ConnectionType, 'options'>): OptionTable {
  return { ...options, ...CONNECTION_OPTIONS };
}

/** The provider of `type`, by name or alias. */
export function findConnectionType<T extends ConnectionType>(type: string, providers: readonly T[]): T | undefined {
  return providers.find((provider) => provider.type === type || provider.aliases?.includes(type) === true);
}

/**
 * Checks a configuration given as plain values and completes it with every default. Opens nothing; reads only the files
 * that `<secret>_file` keys name.
 *
 * Throws a {@link ConfigError} with all problems when there is one that is not a warning.
 *
 * ```ts
 * const { config } = resolveConfig(
 *   { connections: { primary: { type: 'sqlite', filepath: 'data/app.db' } } },
 *   { providers: [sqliteProvider] },
 * );
 * ```
 */
export function resolveConfig(input: unknown, context: ResolveContext): ResolvedConfig {
  return new ConfigResolver(context).resolve(input);
}

/** One connection on its way. */
interface Draft {
  readonly config: ConnectionConfig;
  readonly provider: ConnectionType;
}

/** What all connections of one type share. */
interface TypeTable {
  readonly table: OptionTable;
  /** YAML key to the property of the options that holds it. */
  readonly properties: ReadonlyMap<string, string>;
  readonly required: readonly string[];
  /** The options of a connection that says nothing: defaults, and the global keys over them. */
  readonly inherited: Readonly<Record<string, unknown>>;
}

/** One run of {@link resolveConfig}; collects problems while it goes. */
class ConfigResolver {
  readonly #context: ResolveContext;
  readonly #reader: SectionReader;
  readonly #tables = new Map<ConnectionType, TypeTable>();
  readonly #problems = new Map<string, ConfigProblem>();
  /** Unknown keys so far that a near miss was sought for. */
  #nearMisses = 0;

  constructor(context: ResolveContext) {
    this.#context = context;
    const { readFile = readTextFile } = context;
    this.#reader = {
      baseDir: context.baseDir ?? process.cwd(),
      readFile,
      decrypt: context.decrypt ?? environmentDecrypt(process.env, readFile),
      report: (problem) => this.#report(problem),
      suggest: (key, known) => (this.#nearMisses++ < MAX_NEAR_MISSES ? suggestion(key, known()) : ''),
    };
  }

  resolve(input: unknown): ResolvedConfig {
    const root = this.#mapping(input, []) ?? {};
    const globals = readSection(root, { ...ROOT_OPTIONS, ...GLOBAL_OPTIONS }, ROOT_KEYS, [], this.#reader);
    this.#checkOrmName(globals.values.get('default_orm'), ['default_orm']);
    const connections = this.#mapping(root.connections ?? {}, ['connections']) ?? {};
    const drafts = Object.entries(connections).flatMap(([name, input]) => this.#connection(name, input, globals) ?? []);
    if (!this.#context.adopting) this.#checkTogether(drafts);
    const defaultConnection = this.#defaultConnection(globals, Object.keys(connections));
    return this.#finish({ defaultConnection, connections: drafts.map(({ config }) => config) });
  }

  #finish({ defaultConnection, connections }: ManagerConfig): ResolvedConfig {
    const problems = [...this.#problems.values()];
    if (problems.some(isError)) throw new ConfigError(problems);
    return {
      config: Object.freeze({ defaultConnection, connections: Object.freeze(connections) }),
      warnings: Object.freeze(problems),
    };
  }

  /** Keeps a problem once, however many connections inherit it from one global key. */
  #report(problem: ConfigProblem): void {
    this.#problems.set(JSON.stringify([problem.path, problem.rule, problem.message]), problem);
  }

  #mapping(input: unknown, path: ConfigProblem['path']): Readonly<Record<string, unknown>> | undefined {
    if (isMapping(input)) return input;
    if (input !== UNRESOLVED) {
      this.#report({ path, rule: 'wrong-type', message: `must be a mapping of keys, not ${show(input)}` });
    }
    return undefined;
  }

  /** The connection, or undefined when so much of it is broken that its provider cannot judge it. */
  #connection(name: string, value: unknown, globals: Section): Draft | undefined {
    const path = ['connections', name];
    const input = this.#mapping(value, path);
    this.#checkName(name, input?.name, path);
    const provider = input === undefined ? undefined : this.#provider(input.type, path);
    if (input === undefined || provider === undefined) return undefined;
    const { table, properties, required, inherited } = this.#tableOf(provider, globals);
    const own = readSection(input, table, CONNECTION_KEYS, path, this.#reader);
    const origin = (key: string) => originOf(key, own, globals);
    const options = complete(inherited, own, properties);
    this.#checkOrders(options, origin, path);
    this.#settleOrm(options, origin('default_orm'), provider, path);
    this.#checkMigrations(options, path);
    const config = Object.freeze({ name, type: provider.type, options: Object.freeze(options) });
    this.#checkFurther(config, origin, path);
    if (this.#context.adopting) return { config, provider };
    const missing = required.filter((key) => !isSet(key, own));
    for (const key of missing) {
      const message = `has no ${key}, which type ${provider.type} needs`;
      this.#report({ path, rule: 'missing-key', message, atKey: true, option: key });
    }
    // A default stands in for a broken key that every connection has; the provider's own it needs as they were meant.
    if (missing.length > 0 || [...own.broken].some((key) => Object.hasOwn(provider.options, key))) return undefined;
    this.#reportAll(provider.check?.(config) ?? [], path);
    return { config, provider };
  }

  #checkName(name: string, inner: unknown, path: ConfigProblem['path']): void {
    if (!isConnectionName(name)) {
      const message = 'is no name: use up to 63 letters, digits, "_", "-" and ".", the first a letter or digit';
      this.#report({ path, rule: 'malformed', message, atKey: true });
    }
    if (inner !== undefined && inner !== UNRESOLVED && textOf(inner) !== name) {
      const message = `differs from the key ${JSON.stringify(name)}, which is the name; leave it out`;
      this.#report({ path: [...path, 'name'], rule: 'conflict', message });
    }
  }

  #provider(type: unknown, path: ConfigProblem['path']): ConnectionType | undefined {
    if (type === UNRESOLVED) return undefined;
    const known = this.#context.providers.map((provider) => provider.type);
    const list = known.length === 0 ? 'no provider is registered' : `known types: ${known.join(', ')}`;
    const text = textOf(type);
    const provider = text === undefined ? undefined : findConnectionType(text, this.#context.providers);
    if (provider !== undefined) return provider;
    if (type === undefined) {
      this.#report({ path, rule: 'missing-key', message: `has no type; ${list}`, atKey: true, option: 'type' });
    } else {
      const hint = text === undefined ? '' : suggestion(text, known);
      const message = `unknown type ${show(type)}${hint === '' ? `; ${list}` : hint}`;
      this.#report({ path: [...path, 'type'], rule: 'unknown-type', message });
    }
    return undefined;
  }

  #tableOf(provider: ConnectionType, globals: Section): TypeTable {
    const cached = this.#tables.get(provider);
    if (cached !== undefined) return cached;
    const table = connectionTable(provider);
    const entries = Object.entries(table);
    const values = entries.map(([key, spec]): [string, unknown] => {
      const value = globals.values.has(key) ? globals.values.get(key) : defaultOf(spec, this.#reader.baseDir);
      return [resolvedKey(key, spec), value];
    });
    const created: TypeTable = {
      table,
      properties: new Map(entries.map(([key, spec]) => [key, resolvedKey(key, spec)])),
      required: entries.filter(([, spec]) => spec.required).map(([key]) => key),
      inherited: Object.fromEntries(values),
    };
    this.#tables.set(provider, created);
    return created;
  }

  #checkOrders(options: MutableOptions, origin: (key: string) => Origin | undefined, path: ConfigProblem['path']) {
    for (const { key, origin: from, message } of applyCrossFieldRules(options, origin)) {
      this.#report({ path: from === ORIGIN.connection ? [...path, key] : [key], rule: 'conflict', message });
    }
  }

  /** An ORM set for all connections is for those that can have it; one set on a connection must be possible there. */
  #settleOrm(
    options: MutableOptions,
    origin: Origin | undefined,
    { type }: ConnectionType,
    path: ConfigProblem['path'],
  ): void {
    const { bridges } = this.#context;
    const orm = options.defaultOrm;
    if (orm === undefined || orm === NATIVE || bridges === undefined) return;
    if (bridges.some((bridge) => bridge.name === orm && bridge.types.includes(type))) return;
    if (origin === ORIGIN.global) options.defaultOrm = undefined;
    else if (this.#checkOrmName(orm, [...path, 'default_orm'])) {
      const possible = [...bridges.filter(({ types }) => types.includes(type)).map(({ name }) => name), NATIVE];
      const message = `${orm} cannot drive ${type}; possible: ${possible.join(', ')}`;
      this.#report({ path: [...path, 'default_orm'], rule: 'not-allowed', message });
    }
  }

  /** Whether `orm` names a bridge at all; reports it when not. */
  #checkOrmName(orm: unknown, path: ConfigProblem['path']): boolean {
    const names = [...(this.#context.bridges ?? []).map(({ name }) => name), NATIVE];
    if (typeof orm !== 'string' || this.#context.bridges === undefined || names.includes(orm)) return true;
    const message = `must be one of ${names.join(', ')}, not ${show(orm)}${suggestion(orm, names)}`;
    this.#report({ path, rule: 'not-allowed', message });
    return false;
  }

  /** What is to be done in `connect()` must be possible there. */
  #checkMigrations({ migrateOnStart, migrationsPath, startup }: MutableOptions, path: ConfigProblem['path']): void {
    if (!migrateOnStart) return;
    const at = [...path, 'migrate_on_start'];
    if (migrationsPath === undefined) {
      const message = 'needs migrations_path, the folder of the migrations';
      this.#report({ path: at, rule: 'conflict', message, option: 'migrations_path' });
    }
    if (startup !== 'required') {
      const message = `needs startup: required; a connection that is ${startup} may not be there at the start`;
      this.#report({ path: at, rule: 'conflict', message, option: 'startup' });
    }
  }

  /** A value that is inherited is to be changed where it is written; one that is broken has been reported. */
  #checkFurther(
    config: ConnectionConfig,
    origin: (key: string) => Origin | undefined,
    path: ConfigProblem['path'],
  ): void {
    const problems = (this.#context.checks ?? []).flatMap((check) => check(config));
    for (const problem of problems) {
      const from = origin(String(problem.path[0]));
      if (from !== undefined) this.#reportAll([problem], from === ORIGIN.connection ? path : []);
    }
  }

  #checkTogether(drafts: readonly Draft[]): void {
    for (const [provider, group] of Map.groupBy(drafts, (draft) => draft.provider)) {
      this.#reportAll(provider.checkAll?.(group.map(({ config }) => config)) ?? [], []);
    }
  }

  #reportAll(problems: readonly ConfigProblem[], prefix: ConfigProblem['path']): void {
    for (const problem of problems) this.#report({ ...problem, path: [...prefix, ...problem.path] });
  }

  #defaultConnection(globals: Section, names: readonly string[]): string | undefined {
    const wanted = globals.values.get('default_connection');
    if (typeof wanted !== 'string' || wanted === '') return names.length === 1 ? names[0] : undefined;
    if (names.includes(wanted)) return wanted;
    const hint = suggestion(wanted, names);
    const list = names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`;
    const message = `no connection is named ${show(wanted)}${hint === '' ? `; ${list}` : hint}`;
    this.#report({ path: ['default_connection'], rule: 'unknown-connection', message });
    return undefined;
  }
}

/** True when `name` may name a connection: up to 63 letters, digits, `_`, `-` and `.`, the first a letter or digit. */
export function isConnectionName(name: string): boolean {
  return CONNECTION_NAME.test(name);
}

function isSet(key: string, { values, broken }: Section): boolean {
  return values.has(key) || broken.has(key);
}

/** Where the value of `key` comes from; undefined when the one that counts is broken, and its default stands in. */
function originOf(key: string, own: Section, globals: Section): Origin | undefined {
  if (own.broken.has(key)) return undefined;
  if (own.values.has(key)) return ORIGIN.connection;
  if (globals.broken.has(key)) return undefined;
  return globals.values.has(key) ? ORIGIN.global : ORIGIN.default;
}

/** The options of one connection: its own over what it inherits. */
function complete(
  inherited: TypeTable['inherited'],
  { values }: Section,
  properties: TypeTable['properties'],
): MutableOptions {
  const options: Record<string, unknown> = { ...inherited };
  for (const [key, value] of values) options[properties.get(key) as string] = value;
  // every table holds CONNECTION_OPTIONS, so its options are there
  return options as unknown as MutableOptions;
}
