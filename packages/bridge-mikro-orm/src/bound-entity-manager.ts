import type { KyselyModule, SharedDialectOptions } from '@dbmanager/bridge-kysely';
import { DbManagerError, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { SqlMikroOrm } from './mikro-orm-module.js';
import { transactionContext } from './transaction-context.js';

/** What an entity manager is bound with. */
export interface Binding {
  readonly orm: SqlMikroOrm;
  /** MikroORM's own copy. */
  readonly kysely: KyselyModule;
  /** How MikroORM wants its results to be read. */
  readonly results: SharedDialectOptions | undefined;
}

/** What of an entity manager makes and ends transactions. */
interface Transactional {
  fork(options?: object): SqlEntityManager;
  transactional(work: unknown, options?: NestedOptions): Promise<unknown>;
  begin(options?: NestedOptions): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  getTransactionContext(): object | undefined;
  setTransactionContext(context: object): void;
}

/** What MikroORM takes for a transaction, as far as it matters for a nested one. */
interface NestedOptions {
  readonly propagation?: string;
  readonly isolationLevel?: unknown;
  readonly readOnly?: unknown;
  /** The transaction to nest in. */
  readonly ctx?: object;
}

/** Ways of MikroORM to do work outside of the transaction that it is called in. */
const LEAVING: readonly unknown[] = ['requires_new', 'not_supported'];

/**
 * An entity manager all of whose statements run in `tx`, and those of its forks too; its transactions are nested ones. It is
 * flushed before the commit, and forgets its entities when there is none.
 */
export function boundEntityManager(binding: Binding, tx: TransactionTarget): SqlEntityManager {
  const em = binding.orm.em.fork({ useContext: false });
  const Base = em.constructor as new () => Transactional;
  /** Of each entity manager: the contexts around the nested transactions that it has begun by hand. */
  const around = new WeakMap<object, object[]>();

  function endedByHand(manager: Transactional): void {
    const context = around.get(manager)?.pop();
    // MikroORM takes it for the outermost, and forgets all about transactions.
    if (context !== undefined) manager.setTransactionContext(context);
  }

  function assertOfOuter({ isolationLevel, readOnly }: NestedOptions = {}): void {
    if (isolationLevel === undefined && readOnly === undefined) return;
    const text = 'a nested transaction has the isolation and the access mode of the outer one';
    throw new DbManagerError('DBM_UNSUPPORTED', text, { connectionName: tx.name });
  }

  class BoundEntityManager extends Base {
    override fork(options?: object): SqlEntityManager {
      return super.fork({ keepTransactionContext: true, ...options });
    }

    override async transactional(work: unknown, options?: NestedOptions): Promise<unknown> {
      assertOfOuter(options);
      if (!LEAVING.includes(options?.propagation)) return super.transactional(work, options);
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        `the propagation "${options?.propagation}" would leave the transaction; use an entity manager of orm.em instead`,
        { connectionName: tx.name },
      );
    }

    override async begin(options?: NestedOptions): Promise<void> {
      assertOfOuter(options);
      const context = this.getTransactionContext() as object;
      await super.begin({ ...options, ctx: context });
      around.set(this, [...(around.get(this) ?? []), context]);
    }

    override async commit(): Promise<void> {
      await super.commit();
      endedByHand(this);
    }

    override async rollback(): Promise<void> {
      await super.rollback();
      endedByHand(this);
    }
  }
  Object.defineProperty(BoundEntityManager, 'name', { value: Base.name });

  // MikroORM makes its forks of the class that it finds here.
  Object.setPrototypeOf(em, BoundEntityManager.prototype);
  em.setTransactionContext(transactionContext(binding, tx) as never);
  tx.beforeCommit(() => em.flush());
  tx.onEnd((outcome) => {
    if (outcome !== 'committed') em.clear();
  });
  return em;
}
