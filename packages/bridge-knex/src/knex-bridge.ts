import { type Bridge, type BridgeTarget, DbManagerError, loadPeer, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
import type { KnexClientClass } from './knex-client.js';
import { bindMssqlClient, createMssqlClient } from './knex-mssql-client.js';
import { bindMysqlClient, createMysqlClient } from './knex-mysql-client.js';
import { checkKnexOptions, type KnexBridgeOptions } from './knex-options.js';
import { bindPostgresClient, createPostgresClient, type PgDialectName } from './knex-postgres-client.js';
import { bindSqliteClient, createSqliteClient } from './knex-sqlite-client.js';

/** How a provider type is driven. */
interface Dialect {
  /** Knex's client on the shared pool. */
  client(target: BridgeTarget, options: KnexBridgeOptions): KnexClientClass;
  /** Knex's client in a transaction. */
  bound(tx: TransactionTarget, options: KnexBridgeOptions): KnexClientClass;
  /** Options of Knex unless they are said. */
  readonly defaults?: object;
}

const MYSQL: Dialect = { client: createMysqlClient, bound: bindMysqlClient };

const pg = (name: PgDialectName): Dialect => ({
  client: (target, { types }) => createPostgresClient(name, target, types),
  bound: (tx, { types }) => bindPostgresClient(name, tx, types),
});

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: pg('postgres'),
  cockroachdb: pg('cockroachdb'),
  mysql: MYSQL,
  mariadb: MYSQL,
  mssql: { client: createMssqlClient, bound: bindMssqlClient },
  sqlite: { client: createSqliteClient, bound: bindSqliteClient, defaults: { useNullAsDefault: true } },
};

/**
 * Knex on the shared pool: a real `Knex`, with its builder, transactions, streams, schema and migrations. Its
 * `destroy()` only detaches this handle (`knex.initialize()` attaches it again); the manager closes the pool.
 *
 * Errors of statements are Knex's and the driver's own. Ours are those of getting a connection (`DBM_ACQUIRE_TIMEOUT`,
 * `DBM_POOL_DEADLOCK`, `DBM_CLOSED` …), and a COMMIT that did not commit (`DBM_TRANSACTION_ABORTED`,
 * `DBM_COMMIT_UNKNOWN`).
 */
export const knexBridge: Bridge<Knex, KnexBridgeOptions> = {
  name: 'knex',
  types: Object.keys(DIALECTS),
  open(target, options = {}) {
    return build(target, options, (dialect) => dialect.client(target, options));
  },

  /** A real `Knex` in the transaction. Its `transaction()` nests; its `destroy()` ends this handle only. */
  bind(tx, options = {}) {
    return build(tx, options, (dialect) => dialect.bound(tx, options));
  },
};

function build(
  { name: connectionName, type }: Pick<BridgeTarget, 'name' | 'type'>,
  options: KnexBridgeOptions,
  client: (dialect: Dialect) => KnexClientClass,
): Knex {
  const dialect = DIALECTS[type];
  if (dialect === undefined) {
    throw new DbManagerError('DBM_UNSUPPORTED', `Knex cannot run on a connection of type ${type}`, { connectionName });
  }
  checkKnexOptions(options, connectionName);
  const knex = loadPeer<(config: object) => Knex>('knex', import.meta.url, { by: 'the Knex bridge', connectionName });
  const { name: _, types: __, ...config } = options;
  return knex({ ...dialect.defaults, ...config, client: client(dialect) });
}
