import {
  type ConfigProblem,
  type ConnectionConfig,
  type ConnectionFactory,
  DbManagerError,
  type Engine,
  type EngineIdentity,
  type LeaseSource,
  NotMongoDatabaseError,
  type Provider,
  type ProviderContext,
} from '@dbmanager/core';
import { isSocketPath } from '@dbmanager/provider-server';
import { clientSetup } from './client-options.js';
import { judge } from './errors.js';
import type { MongodbConnection } from './mongodb-connection.js';
import { isMongoClient, loadMongodb, type MongoClient, type MongodbDriver } from './mongodb-driver.js';
import { MONGODB_OPTIONS, type MongodbOptions } from './mongodb-options.js';
import { MongodbPool, type MongodbPoolSetup, type PooledClient } from './mongodb-pool.js';
import { checkTarget, type MongodbTarget, resolveTarget } from './mongodb-target.js';
import { observeCommands } from './observed-commands.js';
import { createSharedClient } from './shared-client.js';

/** A MongoDB engine; `native` gives a `MongoClient`, a handle of its own at each call. */
export interface MongodbEngine extends Engine<MongodbConnection> {
  readonly pool: MongodbPool;
  native(source: LeaseSource<MongodbConnection>): MongoClient;
}

/** The provider of type `mongodb`. */
export interface MongodbProvider extends Provider<MongodbConnection, MongodbOptions> {
  open(connection: ConnectionConfig<MongodbOptions>, context: ProviderContext): Promise<MongodbEngine>;
}

/** What the provider runs on. */
export interface MongodbProviderSetup {
  /** Another copy of the driver. Default: the one that is installed. */
  readonly loadDriver?: (connectionName: string) => MongodbDriver;
}

/**
 * Opens MongoDB through the package `mongodb`, which is loaded when the first connection is opened. The driver's `MongoClient`
 * keeps its own pool, which is set up by our options and shown in our statistics. It is no SQL database.
 */
export const mongodbProvider: MongodbProvider = createMongodbProvider();

/** The provider on a driver of the caller's choice. */
export function createMongodbProvider({ loadDriver = loadMongodb }: MongodbProviderSetup = {}): MongodbProvider {
  return {
    type: 'mongodb',
    aliases: ['mongo'],
    options: MONGODB_OPTIONS,

    check(connection): readonly ConfigProblem[] {
      return checkTarget(connection);
    },

    async open(config, context): Promise<MongodbEngine> {
      const target = resolveTarget(config);
      const driver = loadDriver(config.name);
      const identity = identityOf(target);
      const observer = context.observe?.({ identity });
      const { url, options } = await clientSetup(target, config);
      const setup = { url, options: { ...options, monitorCommands: observer !== undefined }, name: config.name };
      const { maxOpenConns: maxPerServer } = config.options;
      const createClient: MongodbPoolSetup['createClient'] = (keeper): PooledClient => {
        const client = asOption(config.name, target, () => createSharedClient(driver, setup, keeper));
        if (observer !== undefined) observeCommands(client, observer);
        const [startLease, shutDown] = [() => client.startLease(), () => client.shutDown()];
        return { client, maxPerServer, own: true, startLease, shutDown };
      };
      return engineOn(new MongodbPool({ config, context, createClient }), identity);
    },

    async adopt(handle, config, context): Promise<MongodbEngine> {
      if (!isMongoClient(handle)) {
        throw new DbManagerError('DBM_INVALID_OPTION', 'only a MongoClient can be adopted', {
          connectionName: config.name,
          option: 'handle',
        });
      }
      const { hosts, dbName, maxPoolSize } = handle.options;
      const { host: address, port } = hosts[0] ?? {};
      const identity = { system: 'mongodb', namespace: dbName, ...(address && { address }), ...(port && { port }) };
      const observer = context.observe?.({ identity });
      const createClient = (): PooledClient => {
        const unobserve = observer && observeCommands(handle, observer);
        return {
          client: handle,
          maxPerServer: maxPoolSize === 0 ? Number.POSITIVE_INFINITY : maxPoolSize,
          own: false,
          startLease: () => handle.startSession(),
          shutDown: async () => unobserve?.(),
        };
      };
      return engineOn(new MongodbPool({ config, context, createClient }), identity);
    },
  };
}

/**
 * The driver's client on a named connection; the same one each time. Its `close()` only detaches. Throws `DBM_NOT_MONGODB`
 * when the connection is of another type, `DBM_NOT_CONNECTED` before the manager has loaded the driver.
 */
export function mongoClient(connection: {
  readonly name: string;
  readonly type: string;
  native(): unknown;
}): MongoClient {
  if (connection.type !== 'mongodb') throw new NotMongoDatabaseError(connection.name, connection.type);
  return connection.native() as MongoClient;
}

function engineOn(pool: MongodbPool, identity: EngineIdentity): MongodbEngine {
  return { factory: sessionFactory(pool), pool, identity, native: () => pool.handle() };
}

/** Sessions of a deployment that has answered. */
function sessionFactory(pool: MongodbPool): ConnectionFactory<MongodbConnection> {
  return {
    async create({ signal }) {
      await pool.prove(signal);
      return pool.startSession();
    },
    validate: (_, signal) => pool.probe(signal),
    isDirty: ({ session }) => session.inTransaction(),
    clean: ({ session }) => session.abortTransaction(),
    destroy: ({ session }) => session.endSession(),
    judge,
  };
}

function identityOf({ places, srv, database }: MongodbTarget): EngineIdentity {
  const [{ host, port } = { host: '', port: 0 }] = places;
  return {
    system: 'mongodb',
    address: host,
    ...(database !== undefined && { namespace: database }),
    ...(!srv && !isSocketPath(host) && { port }),
  };
}

/** What the driver says of wrong options, as an error of ours; a text that has the password is not shown. */
function asOption<T>(connectionName: string, { password }: MongodbTarget, create: () => T): T {
  try {
    return create();
  } catch (error) {
    const { message } = error as Error;
    const secret = password?.reveal();
    const shown = secret !== undefined && message.includes(secret) ? 'the driver refuses the options' : message;
    throw new DbManagerError('DBM_INVALID_OPTION', shown, { connectionName, option: 'dsn' });
  }
}
