import { type Clock, type DbManagerError, type Lease, settlesWithin } from '@dbmanager/core';
import { ConnectionView, type ConnectionViewSetup } from './connection-view.js';
import { judge } from './errors.js';
import type { Job } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import { summarise } from './statement-text.js';

/** How long a request may take to end when its connection is given back, before it is stopped. */
const DRAIN_MS = 50;

/** What the connections that one facade lends have in common. */
export interface LeasedConnectionSetup extends ConnectionViewSetup {
  readonly clock: Clock;
  /** Whether the last statement is remembered, for leak reports. */
  readonly notes: boolean;
}

/** A connection that is lent: good for one checkout. `release()` and `close()` work once, and what comes after is refused. */
export class LeasedConnection extends ConnectionView {
  readonly #setup: LeasedConnectionSetup;
  readonly #lease: Lease<MssqlConnection>;
  /** Kept beyond the lease, for what still runs. */
  readonly #connection: MssqlConnection;
  #released = false;
  /** The first error that says something of the connection itself. */
  #error: unknown;

  constructor(setup: LeasedConnectionSetup, lease: Lease<MssqlConnection>) {
    super(setup);
    this.#setup = setup;
    this.#lease = lease;
    this.#connection = lease.connection;
    this.#connection.beginLease(lease.id);
    this.#connection.watch(this);
  }

  protected get isUsable(): boolean {
    return !this.#released && !this.#lease.released;
  }

  protected get real(): MssqlConnection {
    if (this.isUsable) return this.#connection;
    throw this.#late();
  }

  protected send(job: Job): void {
    if (!this.isUsable) {
      process.nextTick(() => job.deliver([this.#late()]));
      return;
    }
    if (this.#setup.notes && job.text !== '') this.#lease.note(summarise(job.text));
    this.#connection.submit({
      ...job,
      deliver: (outcome) => {
        if (outcome[0] && judge(outcome[0]) !== 'harmless') this.#error ??= outcome[0];
        job.deliver(outcome);
      },
    });
  }

  /** Gives it back, when what runs has ended; that is stopped when it does not end soon. */
  release(): void {
    if (!this.#leave()) return;
    void this.#settled().then(() => {
      if (this.#connection.isSpoilt) this.#lease.discard();
      else this.#lease.release(this.#error);
    });
  }

  /** Gives it back to be closed. */
  close(): void {
    if (!this.#leave()) return;
    this.#lease.discard(this.#error);
    process.nextTick(() => this.emit('end'));
  }

  async #settled(): Promise<void> {
    const connection = this.#connection;
    if (connection.isIdle) return;
    if (await settlesWithin(this.#setup.clock, connection.untilIdle(), DRAIN_MS)) return;
    connection.cancel();
    await connection.untilIdle();
  }

  /** True for the first call, unless the lease was taken back by force. */
  #leave(): boolean {
    if (this.#released) return false;
    this.#released = true;
    this.#connection.unwatch(this);
    this.#connection.withdraw(this.#late(), this);
    return !this.#lease.released;
  }

  #late(): DbManagerError {
    return this.refusal('DBM_LEASE_RELEASED', 'a connection was used after it had been released');
  }
}
