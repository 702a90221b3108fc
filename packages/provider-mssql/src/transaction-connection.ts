import type { TransactionTarget } from '@dbmanager/core';
import { ConnectionView, type ConnectionViewSetup } from './connection-view.js';
import type { Job } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';

const ENDS: ReadonlySet<Job['kind']> = new Set(['begin', 'commit', 'rollback']);

/**
 * tedious' connection, bound to a transaction: each request takes its turn and is checked, closing it does nothing, and it is
 * dead after the end. Savepoints by name are allowed; what would begin or end the transaction is refused.
 */
export class TransactionConnection extends ConnectionView {
  readonly #tx: TransactionTarget<MssqlConnection>;
  /** Of this view and none of another. */
  readonly #connection: MssqlConnection;

  constructor(setup: ConnectionViewSetup, tx: TransactionTarget<MssqlConnection>) {
    super(setup);
    this.#tx = tx;
    this.#connection = tx.connection;
    this.#connection.watch(this);
    tx.onEnd(() => this.#connection.unwatch(this));
  }

  protected get isUsable(): boolean {
    return !this.#tx.ended;
  }

  protected get real(): MssqlConnection {
    return this.#tx.connection;
  }

  protected send(job: Job): void {
    let delivered = false;
    const deliver: Job['deliver'] = (outcome) => {
      if (delivered) return;
      delivered = true;
      job.deliver(outcome);
    };
    this.#run({ ...job, deliver }).catch((error: unknown) => deliver([error as Error]));
  }

  close(): void {}

  /** Resolves when the job has been delivered, whatever it ended with. Rejects when it was not sent. */
  async #run(job: Job): Promise<void> {
    if (ENDS.has(job.kind)) {
      throw this.refusal('DBM_UNSUPPORTED', `to ${job.kind} a transaction is up to whoever began this one`);
    }
    const tx = this.#tx;
    tx.check(job.text);
    await tx.turn(
      () =>
        new Promise<void>((resolve, reject) => {
          this.#connection.submit({
            ...job,
            deliver(outcome) {
              // Others may go on before whoever asked hears of it, and may ask again at once.
              const [error] = outcome;
              if (error) reject(error);
              else resolve();
              // What should be undone must not be committed with the rest.
              if (error && job.kind === 'rollback to savepoint') tx.beforeCommit(() => Promise.reject(error));
              job.deliver(outcome);
            },
          });
        }),
      { streaming: () => job.request?.paused === true },
    );
  }
}
