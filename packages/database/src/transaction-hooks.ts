import { EventHub, type TransactionOutcome } from '@dbmanager/core';

/** What is to be done around the end of a transaction, or of a nested one. */
export class TransactionHooks {
  readonly #before: (() => Promise<void>)[] = [];
  #events: EventHub<{ end: TransactionOutcome }> | undefined;

  beforeCommit(hook: () => Promise<void>): void {
    this.#before.push(hook);
  }

  onEnd(hook: (outcome: TransactionOutcome) => void): void {
    this.#events ??= new EventHub();
    this.#events.on('end', hook);
  }

  /** Runs what is to be done before the commit, also what is added meanwhile. Rejects with the first error. */
  async runBefore(): Promise<void> {
    for (let hook = this.#before.shift(); hook !== undefined; hook = this.#before.shift()) await hook();
  }

  /** Tells of the end; to be called once. */
  ended(outcome: TransactionOutcome): void {
    this.#events?.emit('end', outcome);
  }
}
