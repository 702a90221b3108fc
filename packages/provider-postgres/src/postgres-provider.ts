import {
  type ConfigProblem,
  type ConnectionConfig,
  type ConnectionFactory,
  DbManagerError,
  type Engine,
  type EngineIdentity,
  type LeaseSource,
  type OptionTable,
  observedFactory,
  type Provider,
  type ProviderContext,
  type SqlDialect,
} from '@dbmanager/core';
import { CANCEL_TIMEOUT_MS, defined } from '@dbmanager/provider-server';
import { AdoptedPoolFactory } from './adopted-pool-factory.js';
import { requestCancel } from './cancel-request.js';
import { conflictOf } from './errors.js';
import { observeClient } from './observed-client.js';
import { parseOnly } from './parse-only.js';
import { loadPg, type PgClient, type PgDriver, type PgPool } from './pg-driver.js';
import { PostgresConnectionFactory } from './postgres-connection-factory.js';
import { POSTGRES_LEXIS } from './postgres-lexis.js';
import { POSTGRES_OPTIONS, type PostgresOptions } from './postgres-options.js';
import { type PoolFacadeOptions, PostgresPoolFacade } from './postgres-pool-facade.js';
import { PostgresSession } from './postgres-session.js';
import { PostgresStatements } from './postgres-statements.js';
import { checkTarget, quoteIdentifier, resolveTarget, type TargetOptions } from './postgres-target.js';
import { PreparedStatements } from './prepared-statements.js';
import { POOLED_KIND, POSTGRES_KIND, type ServerKind } from './server-kind.js';
import { TransactionClients } from './transaction-client.js';

/** A PostgreSQL engine; `native` gives a `pg.Pool`. */
export interface PostgresEngine extends Engine<PgClient> {
  native(source: LeaseSource<PgClient>): PgPool;
}

/** What differs between an engine that connects by itself and one on an adopted pool. */
interface EngineParts {
  readonly driver: PgDriver;
  readonly factory: ConnectionFactory<PgClient>;
  readonly identity: EngineIdentity;
  readonly serverTimeoutMs: number;
  readonly shown: PoolFacadeOptions;
  readonly kind: ServerKind;
  /** As the server knows it; left out for a pool that is adopted. */
  readonly application?: string;
}

/** What sets one type apart from the others that speak the protocol. */
export interface ProviderSpec<O extends TargetOptions> {
  readonly type: string;
  readonly aliases?: readonly string[];
  /** `db.system.name` of OpenTelemetry. */
  readonly system: string;
  readonly options: OptionTable;
  /** Other types whose statements it takes too. */
  readonly akin?: readonly string[];
  kindOf(options: O): ServerKind;
}

/** A provider on the package `pg`. */
export interface PgProvider<O extends object> extends Provider<PgClient, O> {
  open(connection: ConnectionConfig<O>, context: ProviderContext): Promise<PostgresEngine>;
}

const DIALECT = { placeholders: 'numbered', lexis: POSTGRES_LEXIS } as const satisfies SqlDialect;

/** Opens PostgreSQL through the package `pg` (8.21 or newer), which is loaded when the first connection is opened. */
export const postgresProvider: PgProvider<PostgresOptions> = createProvider<PostgresOptions>({
  type: 'postgres',
  aliases: ['postgresql'],
  system: 'postgresql',
  options: POSTGRES_OPTIONS,
  kindOf: ({ pooler }) => (pooler === 'transaction' ? POOLED_KIND : POSTGRES_KIND),
});

/** Makes the provider of a type whose servers speak PostgreSQL's protocol. */
export function createProvider<O extends TargetOptions>(spec: ProviderSpec<O>): PgProvider<O> {
  const { type, aliases, system, options: table, akin, kindOf } = spec;
  return {
    type,
    ...(aliases && { aliases }),
    options: table,
    dialect: { ...DIALECT, ...(akin && { akin }) },

    check(connection): readonly ConfigProblem[] {
      return checkTarget(connection);
    },

    async open(connection, context): Promise<PostgresEngine> {
      const { clock } = context;
      const { name, options } = connection;
      const target = resolveTarget(connection);
      const kind = kindOf(options);
      const driver = loadPg(name);
      const factory = new PostgresConnectionFactory({
        connectionName: name,
        driver,
        target,
        clock,
        connectTimeoutMs: options.connectTimeoutMs,
        statementTimeoutMs: options.queryTimeoutMs,
        kind,
      });
      const { hosts, user, database } = target;
      const [first] = hosts;
      const shown = { user, database, ...first };
      const identity = { system, namespace: database, ...(first && { address: first.host, port: first.port }) };
      const { applicationName: application } = target;
      const serverTimeoutMs = options.queryTimeoutMs;
      return engine({ driver, factory, identity, serverTimeoutMs, shown, kind, application }, context);
    },

    async adopt(handle, { name, options }, context): Promise<PostgresEngine> {
      if (!isPgPool(handle)) {
        throw new DbManagerError('DBM_INVALID_OPTION', 'only a pg.Pool can be adopted', {
          connectionName: name,
          option: 'handle',
        });
      }
      const { host, port, database, user } = handle.options;
      const shown = defined({ host, port, user, database });
      const identity = { system, ...defined({ namespace: database, address: host, port }) };
      const factory = new AdoptedPoolFactory(name, handle);
      const parts = { driver: loadPg(name), factory, identity, serverTimeoutMs: 0, shown, kind: kindOf(options) };
      return { ...engine(parts, context), maxOpen: handle.options.max };
    },
  };
}

function engine(parts: EngineParts, { clock, observe }: ProviderContext): PostgresEngine {
  const { driver, identity, serverTimeoutMs, shown, kind, application } = parts;
  const observer = observe?.({ identity, lexis: POSTGRES_LEXIS, tags: { db_driver: 'pg', application } });
  const factory = observer
    ? observedFactory(parts.factory, (client) => observeClient(client, observer))
    : parts.factory;
  const transactionClients = new TransactionClients(clock);
  // A pooler gives each transaction another connection of the server, which does not know of it.
  const prepared = kind.pooled ? undefined : new PreparedStatements();
  const statements = new PostgresStatements({ driver, clock, serverTimeoutMs, kind, prepared });
  return {
    factory,
    identity,
    sql: {
      ...DIALECT,
      quoteIdentifier,
      conflict: conflictOf,
      ...(kind.migrations && { migrations: kind.migrations }),
      session: (source) => new PostgresSession(source, statements),
      run: (source, statement, options) => statements.runAlone(source, statement, options),
      ...(prepared && { unprepare: (sql: string) => prepared.forget(sql) }),
      check: parseOnly,
      cancel: (client) => requestCancel(driver, client, AbortSignal.timeout(CANCEL_TIMEOUT_MS)),
    },
    native: (source) => new PostgresPoolFacade({ driver, source, clock, shown }) as unknown as PgPool,
    nativeTransaction: (tx) => transactionClients.create(tx),
  };
}

function isPgPool(handle: unknown): handle is PgPool {
  if (typeof handle !== 'object' || handle === null) return false;
  const { connect, query, totalCount, options } = handle as Record<string, unknown>;
  return (
    [connect, query].every((member) => typeof member === 'function') && typeof totalCount === 'number' && !!options
  );
}
