import { type Bridge, type BridgeTarget, DbManagerError, loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
import type { KnexClientClass } from './knex-client.js';
import { checkKnexOptions, type KnexBridgeOptions } from './knex-options.js';
import { createPostgresClient } from './knex-postgres-client.js';
import { createSqliteClient } from './knex-sqlite-client.js';

/** How each provider type is driven: Knex's client, and the options it is given unless they are said. */
const DIALECTS: Record<
  string,
  { readonly client: (target: BridgeTarget, options: KnexBridgeOptions) => KnexClientClass; readonly defaults?: object }
> = {
  postgres: { client: (target, { types }) => createPostgresClient(target, types) },
  sqlite: { client: (target) => createSqliteClient(target), defaults: { useNullAsDefault: true } },
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
    const { name: connectionName } = target;
    const dialect = DIALECTS[target.type];
    if (dialect === undefined) {
      throw new DbManagerError('DBM_UNSUPPORTED', `Knex cannot run on a connection of type ${target.type}`, {
        connectionName,
      });
    }
    checkKnexOptions(options, connectionName);
    const knex = loadPeer<(config: object) => Knex>('knex', import.meta.url, { by: 'the Knex bridge', connectionName });
    const { types: _, ...config } = options;
    return knex({ ...dialect.defaults, ...config, client: dialect.client(target, options) });
  },
};
