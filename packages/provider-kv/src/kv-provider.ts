import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type ConfigProblem,
  type ConnectionConfig,
  type ConnectionFactory,
  DbManagerError,
  type Engine,
  type Provider,
} from '@dbmanager/core';
import { AdoptedLevel } from './adopted-level.js';
import { judge } from './errors.js';
import type { KvConnection } from './kv-connection.js';
import { openNative } from './kv-native.js';
import { KV_OPTIONS, type KvOptions } from './kv-options.js';
import { isLevelDatabase, type LevelDriver, loadLevelDriver } from './level-driver.js';
import { LevelFolder } from './level-folder.js';
import type { LevelHome } from './level-home.js';

/** What the provider runs on. */
export interface KvProviderSetup {
  /** Another copy of classic-level. Default: the one that is installed. */
  readonly loadDriver?: (connectionName: string) => LevelDriver;
  /** The wall clock that expiry goes by, in milliseconds since 1970. Default: `Date.now`. */
  readonly now?: () => number;
}

/**
 * Opens `type: kv` with classic-level (LevelDB): one handle for the whole process, shared by as many operations at a time
 * as `max_open_conns` allows. It is no SQL database; `keyValueStore(connection)` is what to work with.
 */
export const kvProvider: Provider<KvConnection, KvOptions> = createKvProvider();

/** The provider on a driver and a clock of the caller's choice. */
export function createKvProvider({
  loadDriver = loadLevelDriver,
  now = Date.now,
}: KvProviderSetup = {}): Provider<KvConnection, KvOptions> {
  return {
    type: 'kv',
    aliases: ['leveldb', 'classic-level'],
    options: KV_OPTIONS,
    checkAll,
    async open(config, context) {
      const driver = loadDriver(config.name);
      return engineOn(new LevelFolder(driver, { config, context, now }), config, config.options.filepath);
    },
    async adopt(handle, config, context) {
      if (!isLevelDatabase(handle)) {
        throw new DbManagerError(
          'DBM_INVALID_OPTION',
          'only an open abstract-level database with snapshots can be registered',
          { connectionName: config.name },
        );
      }
      return engineOn(new AdoptedLevel(handle, { config, context, now }), config, handle.location);
    },
  };
}

function engineOn(
  home: LevelHome,
  { name }: ConnectionConfig<KvOptions>,
  namespace: string | undefined,
): Engine<KvConnection> {
  return {
    factory: shareFactory(home),
    identity: { system: 'leveldb', ...(namespace === undefined ? {} : { namespace }) },
    probe: (signal) => home.probe(signal),
    native: (source) => openNative(source, { connectionName: name, current: () => home.current }),
    close: () => home.close(),
  };
}

function shareFactory(home: LevelHome): ConnectionFactory<KvConnection> {
  return {
    create: (context) => home.connect(context),
    async validate(connection) {
      home.verify(connection);
    },
    async destroy(connection) {
      home.disconnect(connection);
    },
    judge,
  };
}

/** LevelDB lets a folder be opened once. */
function checkAll(connections: readonly ConnectionConfig<KvOptions>[]): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const owners = new Map<string, string>();
  for (const { name, options } of connections) {
    const folder = canonical(options.filepath);
    const other = owners.get(folder);
    if (other === undefined) owners.set(folder, name);
    else {
      problems.push({
        path: ['connections', name, 'filepath'],
        rule: 'duplicate-file',
        message: `is the folder of connections.${other} too, which LevelDB does not allow; use that one, with namespaces`,
      });
    }
  }
  return problems;
}

function canonical(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    // Does not exist yet; the folder it will stand in may be a link.
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(canonical(parent), basename(absolute));
  }
}
