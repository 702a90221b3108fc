import type { Borrow, Clock, Timer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ClientSession } from 'mongodb';

/** What a session is for. */
export type SessionUse =
  /** One operation of the driver, or a cursor until it is read or closed. */
  | 'work'
  /** One that a caller has started: work while it is in a transaction. */
  | 'caller'
  /** Of a lease: work until that is given back. */
  | 'lease'
  /** Of a change stream, which never ends by itself: nobody waits for it. */
  | 'stream';

interface Entry {
  readonly id: number;
  readonly use: SessionUse;
  readonly session: ClientSession;
  readonly since: number;
  readonly stack: string | undefined;
  lastStatement: string | undefined;
  reported: boolean;
}

/** What a {@link SessionRegistry} is made of. */
export interface SessionRegistrySetup {
  readonly clock: Clock;
  /** `leak_detection`, in milliseconds; 0 is off. */
  readonly leakAfterMs: number;
  leaked(borrow: Borrow): void;
  leakReturned(borrow: Borrow): void;
}

/**
 * Knows the sessions of a client. The driver runs every operation and every cursor in one, so what is under way is known
 * from them: what a close waits for, and what has gone on for longer than `leak_detection`.
 */
export class SessionRegistry {
  readonly #setup: SessionRegistrySetup;
  readonly #entries = new Map<ClientSession, Entry>();
  #lastId = 0;
  #leakTimer: Timer | undefined;
  #idle: (() => void) | undefined;

  constructor(setup: SessionRegistrySetup) {
    this.#setup = setup;
  }

  /** Takes a session in until it ends. `entryPoint` is left out of the stack. Gives its number. */
  add(session: ClientSession, use: SessionUse, entryPoint: (...args: never[]) => unknown): number {
    const entry: Entry = {
      id: ++this.#lastId,
      use,
      session,
      since: this.#setup.clock.now(),
      stack: this.#setup.leakAfterMs === 0 ? undefined : stackOf(entryPoint),
      lastStatement: undefined,
      reported: false,
    };
    this.#entries.set(session, entry);
    session.once('ended', () => this.#remove(entry));
    if (this.#setup.leakAfterMs > 0) this.#watchLeaks();
    return entry.id;
  }

  /** The number of a session that was taken in; 0 for another. */
  idOf(session: ClientSession): number {
    return this.#entries.get(session)?.id ?? 0;
  }

  /** Remembers a summary of what a session does, for reports. */
  note(session: ClientSession, summary: string): void {
    const entry = this.#entries.get(session);
    if (entry !== undefined) entry.lastStatement = summary;
  }

  /** What is under way, the longest first. */
  borrows(): Borrow[] {
    return [...this.#entries.values()].filter(isBusy).map((entry) => this.#borrowOf(entry));
  }

  /** Resolves when nothing is under way; never rejects. */
  async idle(): Promise<void> {
    while (this.borrows().length > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      // A connection comes back before the transaction that it was lent for has ended.
      await new Promise(setImmediate);
    }
  }

  /** A transaction has ended, or anything else that may have left nothing under way. */
  settled(): void {
    this.#idle?.();
  }

  stop(): void {
    this.#leakTimer?.cancel();
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.session);
    if (entry.reported) this.#setup.leakReturned(this.#borrowOf(entry));
    this.settled();
  }

  #watchLeaks(): void {
    const { clock, leakAfterMs } = this.#setup;
    this.#leakTimer ??= clock.setTimer(leakAfterMs, () => {
      this.#leakTimer = undefined;
      this.#reportLeaks();
      if (this.#entries.size > 0) this.#watchLeaks();
    });
  }

  #reportLeaks(): void {
    const { clock, leakAfterMs, leaked } = this.#setup;
    const due = clock.now() - leakAfterMs;
    for (const entry of this.#entries.values()) {
      if (entry.since > due || entry.reported || !isBusy(entry)) continue;
      entry.reported = true;
      leaked(this.#borrowOf(entry));
    }
  }

  #borrowOf({ id, since, stack, lastStatement }: Entry): Borrow {
    // Which connection serves a session differs from operation to operation.
    return { leaseId: id, connectionId: 0, heldMs: this.#setup.clock.now() - since, stack, lastStatement };
  }
}

function isBusy({ use, session }: Entry): boolean {
  return use === 'caller' ? session.inTransaction() : use !== 'stream';
}

/** As the pool's own leak detector takes it. */
function stackOf(entryPoint: (...args: never[]) => unknown): string | undefined {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, entryPoint);
  return holder.stack?.slice(holder.stack.indexOf('\n') + 1);
}
