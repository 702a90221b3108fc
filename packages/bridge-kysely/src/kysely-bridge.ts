import type { Bridge } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Dialect } from 'kysely';
import { type AnyDatabase, createKysely, type TransactionRunner } from './held-kysely.js';
import { type KyselyModule, loadKysely } from './kysely-module.js';
import { checkKyselyOptions, type KyselyBridgeOptions } from './kysely-options.js';
import { nestByCallback } from './nested-transactions.js';
import { boundDialect, SHARED_DIALECT_TYPES, type SharedDialectOptions, sharedDialect } from './shared-dialects.js';

/**
 * Kysely on the shared pool: a real `Kysely`, with its builder, transactions, streams, introspection and migrations. Its
 * `destroy()` only detaches this handle; the manager closes the pool.
 *
 * Errors of statements are the driver's own. Ours are those of getting a connection (`DBM_ACQUIRE_TIMEOUT`,
 * `DBM_POOL_DEADLOCK`, `DBM_CLOSED` …), and a COMMIT that did not commit (`DBM_TRANSACTION_ABORTED`,
 * `DBM_COMMIT_UNKNOWN`).
 */
export const kyselyBridge: Bridge<AnyDatabase, KyselyBridgeOptions> = {
  name: 'kysely',
  types: SHARED_DIALECT_TYPES,
  open(target, options = {}) {
    const dialect = (kysely: KyselyModule, results: SharedDialectOptions) => sharedDialect(kysely, target, results);
    // An unbound query inside the callback is then told at once when it would wait for its own transaction.
    return build(target.name, options, dialect, (run, callback) =>
      run((transaction) => target.holding(() => callback(transaction))),
    );
  },

  /** A real `Kysely` in the transaction. Its transactions nest; its `destroy()` does nothing. */
  bind(tx, options = {}) {
    const dialect = (kysely: KyselyModule, results: SharedDialectOptions) => boundDialect(kysely, tx, results);
    return build(tx.name, options, dialect, nestByCallback);
  },
};

function build(
  connectionName: string,
  options: KyselyBridgeOptions,
  dialect: (kysely: KyselyModule, options: SharedDialectOptions) => Dialect,
  runner: TransactionRunner,
): AnyDatabase {
  checkKyselyOptions(options, connectionName);
  const kysely = loadKysely(import.meta.url, 'the Kysely bridge', connectionName);
  const { name: _, types, results, ...config } = options;
  return createKysely(kysely, { ...config, dialect: dialect(kysely, { types, results }) }, runner);
}
