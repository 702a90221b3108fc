/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type {
  AccessMode,
  ConnectionBuilder,
  IsolationLevel,
  Kysely,
  KyselyConfig,
  Transaction,
  TransactionBuilder,
} from 'kysely';
import type { KyselyModule } from './kysely-module.js';

/** A database whose tables are the caller's knowledge. */
export type AnyDatabase = Kysely<unknown>;

type Callback<T> = (transaction: Transaction<unknown>) => Promise<T>;

/** Runs a transaction of Kysely: `run` begins it, calls back, and ends it. */
export type TransactionRunner = <T>(run: (callback: Callback<T>) => Promise<T>, callback: Callback<T>) => Promise<T>;

/** Methods that give another handle on the same driver. Not every version of Kysely has all of them. */
const DERIVING = [
  'withPlugin',
  'withoutPlugins',
  'withSchema',
  'withTables',
  '$extendTables',
  '$omitTables',
  '$pickTables',
] as const;

/**
 * A `Kysely` that runs its transactions by `runner`; so do the handles that are made from it. What `destroy()` means is up
 * to the driver of the dialect, a plain object. Kysely makes derived handles of its own
 * classes, whatever the class of the first: they are given the class of the first afterwards.
 */
export function createKysely(kysely: KyselyModule, config: KyselyConfig, runner: TransactionRunner): AnyDatabase {
  const driver = config.dialect.createDriver();

  class HeldTransactionBuilder extends kysely.TransactionBuilder<unknown> {
    override execute<T>(callback: Callback<T>): Promise<T> {
      return runner((wrapped) => super.execute(wrapped), callback);
    }

    override setAccessMode(mode: AccessMode): TransactionBuilder<unknown> {
      return as(HeldTransactionBuilder, super.setAccessMode(mode));
    }

    override setIsolationLevel(level: IsolationLevel): TransactionBuilder<unknown> {
      return as(HeldTransactionBuilder, super.setIsolationLevel(level));
    }
  }

  class HeldConnectionBuilder extends kysely.ConnectionBuilder<unknown> {
    override execute<T>(callback: (db: AnyDatabase) => Promise<T>, ...options: []): Promise<T> {
      return super.execute((db) => callback(as(HeldKysely, db)), ...options);
    }
  }

  class HeldKysely extends kysely.Kysely<unknown> {
    override transaction(): TransactionBuilder<unknown> {
      return as(HeldTransactionBuilder, super.transaction());
    }

    override connection(): ConnectionBuilder<unknown> {
      return as(HeldConnectionBuilder, super.connection());
    }

    /** Up to the driver alone: Kysely itself never lends again after that. */
    override destroy(): Promise<void> {
      return driver.destroy();
    }
  }

  for (const name of DERIVING) {
    const derive = Reflect.get(kysely.Kysely.prototype, name) as ((...args: unknown[]) => AnyDatabase) | undefined;
    if (derive === undefined) continue;
    Object.defineProperty(HeldKysely.prototype, name, {
      value(this: AnyDatabase, ...args: unknown[]) {
        return as(HeldKysely, derive.apply(this, args));
      },
    });
  }
  return new HeldKysely({ ...config, dialect: { ...config.dialect, createDriver: () => driver } });
}

function as<T extends object>(type: abstract new (...args: never[]) => T, made: T): T {
  return Object.setPrototypeOf(made, type.prototype) as T;
}
