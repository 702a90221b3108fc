import { type BridgeTarget, CommitUnknownError, type TransactionTarget } from '@dbmanager/core';
import { commitGuard } from './commit-guard.js';
import { clientForTypeorm, type MysqlClient, type ResultOptions } from './mysql-client.js';
import { onLeftEarly } from './open-streams.js';
import { driverErrorOf, type PooledQueryRunner, type QueryRunnerClass, withoutWrapper } from './query-runner.js';
import { loadTypeormPart } from './typeorm-module.js';

/** TypeORM's own query runner, with the inner members that are used here. */
interface MysqlQueryRunner extends PooledQueryRunner {
  connect(): Promise<MysqlClient>;
}

type Base = new (...args: ConstructorParameters<QueryRunnerClass>) => MysqlQueryRunner;

/** What the query runners of one data source have in common. */
export interface MysqlRunnerSetup {
  readonly target: BridgeTarget;
  readonly results: ResultOptions;
  /** Those that have borrowed; TypeORM's driver does not know of them. */
  readonly connected: Set<PooledQueryRunner>;
}

const COMMIT = /^\s*commit\b/i;

/** TypeORM's MySQL query runner over the shared pool. */
export function mysqlQueryRunner({ target, results, connected }: MysqlRunnerSetup): QueryRunnerClass {
  const { MysqlQueryRunner } = loadTypeormPart<{ readonly MysqlQueryRunner: Base }>(
    'driver/mysql/MysqlQueryRunner',
    target.name,
  );

  class PooledMysqlQueryRunner extends MysqlQueryRunner {
    #client: MysqlClient | undefined;

    override attach(tx: TransactionTarget): void {
      this.#client = clientForTypeorm(tx.native() as MysqlClient, results);
    }

    override async connect(): Promise<MysqlClient> {
      if (this.#client !== undefined) return this.#client;
      const lent = await super.connect();
      if (this.isReleased) lent.release();
      else connected.add(this);
      this.#client ??= clientForTypeorm(lent, results);
      return this.#client;
    }

    override async release(): Promise<void> {
      connected.delete(this);
      await super.release();
    }

    override async query(...args: Parameters<PooledQueryRunner['query']>): Promise<never> {
      // What was never sent is not in doubt.
      const commits = COMMIT.test(args[0]) && !this.isReleased && this.#client?.stream.destroyed === false;
      try {
        return await super.query(...args);
      } catch (error) {
        if (commits && target.engine.factory.judge?.(driverErrorOf(error)) === 'fatal') {
          throw new CommitUnknownError(target.name, driverErrorOf(error));
        }
        throw withoutWrapper(error);
      }
    }

    override async stream(...args: Parameters<PooledQueryRunner['stream']>) {
      const stream = await super.stream(...args);
      onLeftEarly(stream, args[2]);
      return stream;
    }

    /** TypeORM's own switches foreign keys off, and not on again when it fails. */
    override async clearDatabase(database?: string): Promise<void> {
      try {
        await super.clearDatabase(database);
      } catch (error) {
        await this.query('SET FOREIGN_KEY_CHECKS = 1').catch(() => this.#client?.destroy());
        throw error;
      }
    }
  }
  Object.defineProperty(PooledMysqlQueryRunner, 'name', { value: MysqlQueryRunner.name });
  return commitGuard(PooledMysqlQueryRunner, target.name);
}
