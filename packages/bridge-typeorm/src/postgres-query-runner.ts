import type { BridgeTarget, TransactionTarget } from '@dbmanager/core';
import { commitGuard } from './commit-guard.js';
import { onLeftEarly } from './open-streams.js';
import { adaptClient, clientInTransaction, type PgClient } from './postgres-client.js';
import { type ResultOptions, typesFor } from './postgres-types.js';
import { type PooledQueryRunner, type QueryRunnerClass, withoutWrapper } from './query-runner.js';
import { loadTypeormPart } from './typeorm-module.js';

/** A query runner of TypeORM on pg, with the inner members that are used here. */
interface PgQueryRunner extends PooledQueryRunner {
  databaseConnection: PgClient | undefined;
  connect(): Promise<PgClient>;
}

/** The class of such query runners. */
export type PgQueryRunnerClass = new (...args: ConstructorParameters<QueryRunnerClass>) => PgQueryRunner;

/** TypeORM's PostgreSQL query runner over the shared pool. */
export function postgresQueryRunner(target: BridgeTarget, options: ResultOptions): QueryRunnerClass {
  const { PostgresQueryRunner } = loadTypeormPart<{ readonly PostgresQueryRunner: PgQueryRunnerClass }>(
    'driver/postgres/PostgresQueryRunner',
    target.name,
  );
  return pooledPgQueryRunner(PostgresQueryRunner, target, options);
}

/** A query runner of TypeORM on pg, over the shared pool. */
export function pooledPgQueryRunner(
  Base: PgQueryRunnerClass,
  target: BridgeTarget,
  options: ResultOptions,
): PgQueryRunnerClass {
  class PooledPgQueryRunner extends Base {
    /** It has a client, or one is on its way that will be adapted before anybody gets it. */
    #connected = false;

    override attach(tx: TransactionTarget): void {
      const client = tx.native() as PgClient;
      this.databaseConnection = clientInTransaction(client, typesFor(client, options), target);
      this.#connected = true;
    }

    override connect(): Promise<PgClient> {
      const connecting = super.connect();
      if (this.#connected) return connecting;
      this.#connected = true;
      return connecting.then((client) => {
        adaptClient(client, typesFor(client, options), target);
        return client;
      });
    }

    override async query(...args: Parameters<PooledQueryRunner['query']>): Promise<never> {
      try {
        return await super.query(...args);
      } catch (error) {
        throw withoutWrapper(error);
      }
    }

    override async stream(...args: Parameters<PooledQueryRunner['stream']>) {
      const stream = await super.stream(...args);
      onLeftEarly(stream, args[2]);
      return stream;
    }
  }
  Object.defineProperty(PooledPgQueryRunner, 'name', { value: Base.name });
  return commitGuard(PooledPgQueryRunner, target.name);
}
