import {
  type BridgeTarget,
  DbManagerError,
  type Row,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
  type TransactionOutcome,
  type TransactionScope,
} from '@dbmanager/core';
import type { Scope } from './scope.js';
import type { TransactionCore } from './transaction-core.js';
import type { TransactionHooks } from './transaction-hooks.js';

/** A transaction, or one nested in it, as bridges see it. */
export class BoundTransaction implements TransactionScope {
  readonly session: SqlSession;
  readonly #core: TransactionCore;
  readonly #scope: Scope;
  readonly #hooks: TransactionHooks;
  #native: unknown;

  constructor(core: TransactionCore, scope: Scope, hooks: TransactionHooks) {
    this.#core = core;
    this.#scope = scope;
    this.#hooks = hooks;
    this.session = new BoundSession(core, scope);
  }

  get name(): string {
    return this.#core.name;
  }

  get type(): string {
    return this.#core.target.type;
  }

  get source(): BridgeTarget {
    return this.#core.target;
  }

  get ended(): boolean {
    return this.#scope.ended;
  }

  get connection(): unknown {
    return this.#core.connection(this.#scope);
  }

  native(): unknown {
    const { engine, type } = this.source;
    if (engine.nativeTransaction === undefined) {
      throw new DbManagerError('DBM_UNSUPPORTED', `type ${type} has no native handle of a transaction`, {
        connectionName: this.name,
      });
    }
    this.#native ??= engine.nativeTransaction(this);
    return this.#native;
  }

  check(sql: string): void {
    this.#core.check(sql);
  }

  turn<T>(work: () => Promise<T>, { streaming }: { readonly streaming?: () => boolean } = {}): Promise<T> {
    return this.#core.turn(this.#scope, work, streaming);
  }

  now<T>(work: () => T): T {
    return this.#core.now(this.#scope, work);
  }

  async enter(): Promise<TransactionScope> {
    return new BoundTransaction(this.#core, await this.#core.enter(this.#scope), this.#hooks);
  }

  async scope<T>(work: (inner: TransactionScope) => Promise<T>): Promise<T> {
    const inner = await this.enter();
    try {
      return await inner.inside(() => work(inner));
    } finally {
      inner.leave();
    }
  }

  savepointName(prefix: string): string {
    return this.#core.savepointName(prefix);
  }

  beforeCommit(hook: () => Promise<void>): void {
    this.#hooks.beforeCommit(hook);
  }

  onEnd(hook: (outcome: TransactionOutcome) => void): void {
    this.#hooks.onEnd(hook);
  }

  inside<T>(work: () => T): T {
    return this.#scope.inside(work);
  }

  byHand(): () => void {
    return this.#scope.byHand();
  }

  leave(): void {
    this.#scope.leave();
  }
}

/** The session of a transaction for those who must not end it. */
class BoundSession implements SqlSession {
  readonly #core: TransactionCore;
  readonly #scope: Scope;

  constructor(core: TransactionCore, scope: Scope) {
    this.#core = core;
    this.#scope = scope;
  }

  get inTransaction(): boolean {
    return !this.#scope.ended;
  }

  query(statement: Statement, options?: StatementOptions): Promise<StatementResult> {
    return this.#core.query(this.#scope, statement, options);
  }

  stream(statement: Statement, options?: StatementOptions): AsyncIterable<Row> {
    return this.#core.stream(this.#scope, statement, options);
  }

  begin(): Promise<void> {
    return this.#refuse('begin');
  }

  commit(): Promise<void> {
    return this.#refuse('commit');
  }

  rollback(): Promise<void> {
    return this.#refuse('rollback');
  }

  savepoint(name: string): Promise<void> {
    return this.#core.savepoint(this.#scope, 'savepoint', name);
  }

  rollbackTo(name: string): Promise<void> {
    return this.#core.savepoint(this.#scope, 'rollbackTo', name);
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#core.savepoint(this.#scope, 'releaseSavepoint', name);
  }

  release(): void {}

  async #refuse(what: string): Promise<never> {
    throw new DbManagerError('DBM_UNSUPPORTED', `${what} is up to whoever began the transaction`, {
      connectionName: this.#core.name,
    });
  }
}
