import type { TransactionOutcome } from '@dbmanager/core';

/** What is to be done around the end of a transaction, or of a nested one. */
export class TransactionHooks {
  #before: (() => Promise<void>)[] = [];
  #after: ((outcome: TransactionOutcome) => void)[] = [];

  beforeCommit(hook: () => Promise<void>): void {
    this.#before.push(hook);
  }

  onEnd(hook: (outcome: TransactionOutcome) => void): void {
    this.#after.push(hook);
  }

  /** Runs what is to be done before the commit, also what is added meanwhile. Rejects with the first error. */
  async runBefore(): Promise<void> {
    for (let hook = this.#before.shift(); hook !== undefined; hook = this.#before.shift()) await hook();
  }

  /** Tells of the end, once. */
  ended(outcome: TransactionOutcome): void {
    const after = this.#after;
    this.#before = [];
    this.#after = [];
    for (const hook of after) hook(outcome);
  }
}
