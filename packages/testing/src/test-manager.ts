import {
  type AnyProvider,
  CONNECTION_OPTIONS,
  type ConfigInput,
  type ConnectionConfig,
  DbManagerError,
  isMapping,
  KnownOptions,
  type ManagerConfig,
  type OptionTable,
  resolveConfig,
  resolvedKey,
} from '@dbmanager/core';
import {
  BRIDGES,
  type CloseReport,
  ConnectionManager,
  type ConnectionManagerOptions,
  type LoadOptions,
  loadConfigFile,
  PROVIDERS,
} from 'dbmanager';
import { assertFlag, assertOneOf, invalid } from './checks.js';
import { namesTestServer } from './test-database.js';
import { keyValuePlace, serverPlace, sqlitePlace, type TestPlace } from './test-place.js';
import { applySchema, type TestSchema } from './test-schema.js';

/** One connection of a test manager: keys of the YAML besides `type` and those that say where it is. */
export interface TestConnectionOptions {
  /** What is in it before the tests. Default: of a connection in a file what its `migrate_on_start` applies, else nothing. */
  readonly schema?: TestSchema;
  readonly [key: string]: unknown;
}

/** Options of {@link testManager}. */
export interface TestManagerOptions extends ConnectionManagerOptions, Pick<LoadOptions, 'profile' | 'env'> {
  /** The application's YAML file: its connections, by their names, with all that is not about the place of the database. */
  readonly fromConfig?: string;
  /** By name. Of a file the names must be those there. Default: those of the file, else one, `main`. */
  readonly connections?: Readonly<Record<string, TestConnectionOptions>>;
  /** What is in the default connection before the tests, unless `connections` says. */
  readonly schema?: TestSchema;
  /** SQLite stands in a temporary file, where readers work beside the writer. Default: false, in memory, on one connection. */
  readonly readers?: boolean;
  /**
   * `same` puts connections of servers on a server of their own type: see `testDatabase`. Default: those whose server is named
   * by a variable of the environment (`DBMANAGER_TEST_POSTGRES_URL` …); all others stand on SQLite.
   */
  readonly on?: 'sqlite' | 'same';
  /** Default: true here. `transactionPerTest` needs it. */
  readonly ambientTransactions?: boolean;
}

const OPTIONS = new KnownOptions<TestManagerOptions>('testManager', {
  fromConfig: true,
  connections: true,
  schema: true,
  readers: true,
  on: true,
  profile: true,
  env: true,
  providers: true,
  logger: true,
  clock: true,
  random: true,
  ambientTransactions: true,
});

/** A manager on databases of its own, which go when it is closed: use it with `await using`, or call `close`. */
export class TestManager extends ConnectionManager implements AsyncDisposable {
  readonly #places: TestPlace[];

  /** @internal See {@link testManager}. */
  constructor(config: ManagerConfig, options: ConnectionManagerOptions, places: readonly TestPlace[]) {
    super(config, options);
    this.#places = [...places];
  }

  override async close(options?: Parameters<ConnectionManager['close']>[0]): Promise<CloseReport> {
    const report = await super.close(options);
    await removeAll(this.#places.splice(0));
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * A manager with everything that the application's has, connected, on empty databases: SQLite in memory unless said.
 *
 * ```ts
 * await using db = await testManager({ schema: 'create table users (id integer primary key, name text not null)' });
 * await db.getDefault().knex()('users').insert({ name: 'Ada' });
 * ```
 *
 * With `fromConfig` it has the connections of the application's file, by their names, with the options there that are not
 * about the place of the database: SQL ones on SQLite or on a test server, key-value ones in a temporary folder; those of
 * MongoDB on a test server, else, as nothing stands in for it, they are left out. Rejects with `DBM_INVALID_OPTION`, with a `ConfigError`, or with
 * what opening or the schema failed with; then nothing is left open.
 */
export async function testManager(options: TestManagerOptions = {}): Promise<TestManager> {
  checkOptions(options);
  const { fromConfig, connections, schema, readers, on, profile, env, ...settings } = options;
  const wanted = fromConfig === undefined ? plain(connections) : await loaded(fromConfig, options);
  const places: TestPlace[] = [];
  let manager: TestManager | undefined;
  try {
    const config = await placed(wanted, options, places);
    manager = new TestManager(config, { ambientTransactions: true, ...settings }, places);
    await manager.connect();
    for (const [name, connection] of manager.getAll()) {
      const own = connections?.[name]?.schema ?? (name === config.defaultConnection ? schema : undefined);
      if (own !== undefined) await applySchema(connection, own);
    }
    return manager;
  } catch (error) {
    await (manager === undefined ? removeAll(places) : manager.close({ drainTimeoutMs: 0 }));
    throw error;
  }
}

/** Throws `DBM_INVALID_OPTION` for what cannot be meant. */
function checkOptions(options: TestManagerOptions): void {
  OPTIONS.check(options, undefined);
  const { fromConfig, connections = {}, readers, on, ambientTransactions } = options;
  if (fromConfig !== undefined && typeof fromConfig !== 'string') {
    throw invalid('fromConfig', 'fromConfig must be the path of the file; of a URL that is fileURLToPath(url)');
  }
  if (!isMapping(connections) || !Object.values(connections).every(isMapping)) {
    throw invalid('connections', 'connections must have an object of keys for each name: { main: {} }');
  }
  assertOneOf(on, ['sqlite', 'same'], 'on');
  assertFlag(readers, 'readers');
  assertFlag(ambientTransactions, 'ambientTransactions');
}

/** What is to be had, before it has a place. */
interface Wanted {
  readonly defaultConnection: string | undefined;
  /** `config` as the file has it. */
  readonly connections: readonly { readonly name: string; readonly type: string; readonly config?: ConnectionConfig }[];
}

function plain(connections: TestManagerOptions['connections'] = { main: {} }): Wanted {
  const names = Object.keys(connections);
  return { defaultConnection: names[0], connections: names.map((name) => ({ name, type: 'sqlite' })) };
}

async function loaded(
  file: string,
  { connections = {}, profile, env, providers }: TestManagerOptions,
): Promise<Wanted> {
  const { config } = await loadConfigFile(file, {
    providers: allProviders(providers),
    bridges: BRIDGES,
    ...(profile === undefined ? {} : { profile }),
    ...(env === undefined ? {} : { env }),
  });
  const names = config.connections.map(({ name }) => name);
  const unknown = Object.keys(connections).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new DbManagerError('DBM_UNKNOWN_CONNECTION', `the file has no such connection; it has: ${names.join(', ')}`, {
      connectionName: unknown,
    });
  }
  return {
    defaultConnection: config.defaultConnection,
    connections: config.connections.map((each) => ({ name: each.name, type: each.type, config: each })),
  };
}

/** The configuration of what is wanted on places of its own, which are added to `places` as they are made. */
async function placed(wanted: Wanted, options: TestManagerOptions, places: TestPlace[]): Promise<ManagerConfig> {
  const connections: ConnectionConfig[] = [];
  for (const { name, type, config } of wanted.connections) {
    const place = await placeOf(type, options);
    if (place === undefined) continue;
    places.push(place);
    const { schema, ...keys } = options.connections?.[name] ?? {};
    const said = Object.keys(keys).find((key) => Object.hasOwn(place.input, key));
    if (said !== undefined)
      throw invalid(said, `where a connection stands is for testManager to say: leave out ${said}`, name);
    const resolved = resolvedOne(name, { ...keys, ...place.input }, options.providers);
    const inFile = config === undefined ? {} : commonOptions(config, [...Object.keys(keys)]);
    const start = schema === undefined ? {} : { migrateOnStart: false };
    connections.push({ ...resolved, options: { ...resolved.options, ...inFile, startup: 'required', ...start } });
  }
  const isThere = connections.some(({ name }) => name === wanted.defaultConnection);
  return { defaultConnection: isThere ? wanted.defaultConnection : undefined, connections };
}

async function placeOf(
  type: string,
  { readers = false, on, providers }: TestManagerOptions,
): Promise<TestPlace | undefined> {
  if (type === 'kv') return keyValuePlace();
  const sameServer = on === 'same' || (on === undefined && namesTestServer(type));
  const server = sameServer ? await serverPlace(type) : undefined;
  if (server !== undefined) return server;
  const { dialect } = allProviders(providers).find((provider) => provider.type === type) ?? {};
  return dialect && sqlitePlace(readers);
}

function resolvedOne(
  name: string,
  input: TestPlace['input'],
  providers: TestManagerOptions['providers'],
): ConnectionConfig {
  const whole: ConfigInput = { connections: { [name]: input } };
  const { config } = resolveConfig(whole, { providers: allProviders(providers), bridges: BRIDGES });
  return config.connections[0] as ConnectionConfig;
}

/** The options of a connection that those of every type have, but for what the test sets itself. */
function commonOptions({ options }: ConnectionConfig, own: readonly string[]): Partial<ConnectionConfig['options']> {
  const keys = Object.entries<OptionTable[string]>(CONNECTION_OPTIONS)
    .filter(([key]) => !own.includes(key))
    .map(([key, spec]) => resolvedKey(key, spec) as keyof typeof options);
  return Object.fromEntries(keys.map((key) => [key, options[key]]));
}

function allProviders(further: readonly AnyProvider[] = []): readonly AnyProvider[] {
  return [...further, ...PROVIDERS.filter(({ type }) => !further.some((each) => each.type === type))];
}

/** Removes all of them, and rejects with the first failure of several. */
async function removeAll(places: readonly TestPlace[]): Promise<void> {
  const outcomes = await Promise.allSettled(places.map(({ remove }) => remove?.()));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
