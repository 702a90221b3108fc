import { CommitUnknownError, DbManagerError, type ErrorCode } from '@dbmanager/core';
import { isConnectionLost, lostError } from './errors.js';
import type { Job } from './job.js';
import { hasRollback, isRollback, writingWord } from './statement-text.js';
import { isGone, type TediousConnection } from './tedious-driver.js';

/** A transaction that is open on the server. */
interface OpenTransaction {
  /** The server's own name for it. */
  readonly descriptor: Buffer;
  /** Begun by a request to begin, which is not to be ended by a text; or by a text. */
  readonly begunBy: 'request' | 'text';
}

/**
 * What is known of the transaction of one connection, from the descriptors that the server sends. SQL Server rolls back by
 * itself (XACT_ABORT, a deadlock) and then runs what follows statement by statement, each committed at once. Here nothing
 * but a rollback follows until that has been taken note of.
 */
export class TransactionState {
  readonly #connection: TediousConnection;
  readonly #connectionName: string;
  /** As it was after the last job. */
  #open: OpenTransaction | undefined;
  /** It ended, and nobody had asked for that; the error that it ended with. */
  #lost: { readonly cause: unknown } | undefined;
  /** The server has told of a rollback since the last job ended. */
  #rolledBack = false;
  #readOnly = false;

  constructor(connection: TediousConnection, connectionName: string) {
    this.#connection = connection;
    this.#connectionName = connectionName;
  }

  get isOpen(): boolean {
    return this.#connection.inTransaction;
  }

  /** True from when the transaction has ended by itself until {@link acknowledge}. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** True while the transaction that is open is to write nothing. */
  get isReadOnly(): boolean {
    return this.#readOnly && this.isOpen;
  }

  /** SQL Server has no read-only transactions: what writes is refused here, until this one has ended. */
  makeReadOnly(): void {
    this.#readOnly = true;
  }

  /** To be called when the server tells of a rollback. */
  rolledBack(): void {
    this.#rolledBack = true;
  }

  /** Takes note that the transaction has ended: what comes next may run outside of it. */
  acknowledge(): void {
    this.#lost = undefined;
  }

  /** True for a job that ends a transaction which the server has ended already. */
  takesNote({ kind, text }: Job): boolean {
    return this.isLost && (kind === 'rollback' || isRollback(text));
  }

  /** Why a job must not be sent now; undefined when it may. */
  refusal(job: Job): DbManagerError | undefined {
    if (this.isLost && !this.takesNote(job)) {
      return this.#aborted(
        'the transaction is over: the server has rolled it back, or a text has ended it; roll back first',
      );
    }
    if (job.kind === 'begin' && this.isOpen) {
      return this.#error('DBM_QUERY_FAILED', 'a transaction is open already; nested ones are savepoints');
    }
    const writes = this.isReadOnly ? writingWord(job.text) : undefined;
    if (writes !== undefined)
      return this.#error('DBM_READ_ONLY', `${writes} cannot be sent in a read-only transaction`);
    if (job.kind === 'commit' && isGone(this.#connection)) return lostError('before COMMIT', this.#connectionName);
    return undefined;
  }

  /** Compares what was with what is, after a job. Gives the error to tell of, where it is not that of tedious. */
  settle(job: Job, error: Error | undefined): Error | undefined {
    const before = this.#open;
    const after = this.#current();
    const stays = before !== undefined && after?.equals(before.descriptor) === true;
    const rolledBack = this.#rolledBack;
    this.#rolledBack = false;
    this.#readOnly &&= stays;
    if (!stays) this.#open = after && { descriptor: after, begunBy: job.kind === 'begin' ? 'request' : 'text' };
    const ended = before !== undefined && !stays;
    if (job.kind === 'commit') return this.#committed(error, { ended, rolledBack });
    if (ended && !mayEnd(before, job, rolledBack)) this.#lost = { cause: error };
    return error;
  }

  #committed(error: Error | undefined, { ended, rolledBack }: { ended: boolean; rolledBack: boolean }) {
    if (ended) {
      // An error besides is that of an attention which came too late.
      return rolledBack ? this.#aborted('the server has rolled the transaction back instead', error) : undefined;
    }
    if (error !== undefined) {
      // The server may say that it goes before the socket does.
      const lost = isGone(this.#connection) || isConnectionLost(error);
      return lost ? new CommitUnknownError(this.#connectionName, error) : error;
    }
    if (!this.isOpen) return undefined;
    this.#lost = { cause: undefined };
    return this.#aborted('COMMIT has ended an inner BEGIN TRANSACTION only, so that nothing is committed; roll back');
  }

  #current(): Buffer | undefined {
    return this.#connection.inTransaction ? this.#connection.transactionDescriptors.at(-1) : undefined;
  }

  #aborted(message: string, cause: unknown = this.#lost?.cause): DbManagerError {
    return this.#error('DBM_TRANSACTION_ABORTED', message, cause);
  }

  #error(code: ErrorCode, message: string, cause?: unknown): DbManagerError {
    const connectionName = this.#connectionName;
    return new DbManagerError(code, message, cause === undefined ? { connectionName } : { connectionName, cause });
  }
}

/** What a transaction was begun with may end it; of one that a text has begun any text may, unless the server rolled it back. */
function mayEnd({ begunBy }: OpenTransaction, { kind, text }: Job, rolledBack: boolean): boolean {
  if (kind === 'rollback') return true;
  return begunBy === 'text' && (!rolledBack || hasRollback(text));
}
