import {
  type DrizzleBridgeOptions,
  type DrizzleSchema,
  type DrizzleTransactions,
  type DrizzleType,
  drizzleBridge,
} from '@dbmanager/bridge-drizzle';
import { type KnexBridgeOptions, knexBridge } from '@dbmanager/bridge-knex';
import { type AnyTables, type KyselyBridgeOptions, kyselyBridge } from '@dbmanager/bridge-kysely';
import { type MikroOrmBridgeOptions, mikroOrmBridge } from '@dbmanager/bridge-mikro-orm';
import { type TypeormBridgeOptions, typeormBridge } from '@dbmanager/bridge-typeorm';
import { Transaction } from '@dbmanager/database';
import { createRepository, type Repository, type RepositoryOptions } from '@dbmanager/repository';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { SqlEntityManager } from '@mikro-orm/sql';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Kysely } from 'kysely';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { EntityManager } from 'typeorm';
import { namedOptions } from './named-options.js';
import type { NativeTransactionHandles } from './native-handles.js';
import { assertType, type TypedArguments, typedOptions } from './typed-arguments.js';

/**
 * A transaction of a {@link Connection}, with a typed handle for each ORM: all of them on its one connection, under its one
 * COMMIT. Handles are of this transaction, or of the nested one they are asked of, and dead after its end.
 */
export class ConnectionTransaction extends Transaction {
  /** Knex in this transaction; see `Connection.knex`, whose options it has unless others are given. */
  knex(options?: KnexBridgeOptions): Knex {
    return this.use(knexBridge, ...namedOptions(options));
  }

  /**
   * Kysely in this transaction; see `Connection.kysely`, whose options it has unless others are given. Its own transactions
   * nest.
   */
  kysely<DB = AnyTables>(options?: KyselyBridgeOptions): Kysely<DB> {
    return this.use(kyselyBridge, ...namedOptions(options)) as unknown as Kysely<DB>;
  }

  /**
   * Drizzle in this transaction; see `Connection.drizzle`, whose options it has unless others are given. Its own transactions
   * nest.
   */
  drizzle<S extends DrizzleSchema = Record<string, never>>(
    options?: DrizzleBridgeOptions<S>,
  ): DrizzleTransactions<S>['postgres'];
  /** The same for the named type of connection, which is checked. */
  drizzle<T extends DrizzleType, S extends DrizzleSchema = Record<string, never>>(
    type: T,
    options?: DrizzleBridgeOptions<S>,
  ): DrizzleTransactions<S>[T];
  /** The same, passed on. */
  drizzle(...args: TypedArguments<DrizzleType, DrizzleBridgeOptions>): object;
  drizzle(...args: TypedArguments<DrizzleType, DrizzleBridgeOptions>): object {
    return this.use(drizzleBridge, ...typedOptions('drizzle', args, this));
  }

  /**
   * TypeORM's entity manager in this transaction, of the data source that `Connection.typeorm` has opened, by that name if it
   * has one. Its own transactions nest, and its `dataSource` is inside too. Throws `DBM_NOT_CONNECTED` when it was not opened.
   */
  typeorm({ name }: Pick<TypeormBridgeOptions, 'name'> = {}): EntityManager {
    return this.use(typeormBridge, undefined, name);
  }

  /**
   * MikroORM's entity manager in this transaction: a fork of its own, flushed before COMMIT. Of the MikroORM that
   * `Connection.mikroorm` has opened, by that name if it has one; throws `DBM_NOT_CONNECTED` when it has not.
   */
  mikroorm({ name }: Pick<MikroOrmBridgeOptions, 'name'> = {}): SqlEntityManager {
    return this.use(mikroOrmBridge, undefined, name);
  }

  /** The rows of one table as objects, in this transaction; see `Connection.repository`. */
  repository<T extends object>(options: RepositoryOptions<T>): Repository<T> {
    const { name, type } = this;
    return createRepository<T>({ name, type, scope: () => this }, options);
  }

  /**
   * The driver's own connection, as {@link NativeTransactionHandles} has it for each type: for postgres a `pg.PoolClient`.
   * Releasing or closing it does nothing. Naming the type checks it (`DBM_UNSUPPORTED`) and types the result.
   */
  override native<T extends keyof NativeTransactionHandles = 'postgres'>(type?: T): NativeTransactionHandles[T] {
    assertType('native', type, this);
    return super.native() as NativeTransactionHandles[T];
  }
}
