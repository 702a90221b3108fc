import type { StatementRecorder } from '@dbmanager/core';
import type {
  OptionalTransactionOptions,
  Transaction,
  TransactionOptions,
  TransactionSource,
} from '@dbmanager/database';

/** Transactions whose attempts, and the statements in them, are one in a trace. One that joins another is part of that. */
export class TracedTransactions<T extends Transaction> implements TransactionSource<T> {
  readonly #source: TransactionSource<T>;
  readonly #trace: NonNullable<StatementRecorder['transaction']>;

  constructor(source: TransactionSource<T>, trace: NonNullable<StatementRecorder['transaction']>) {
    this.#source = source;
    this.#trace = trace;
  }

  run<R>(options: TransactionOptions | undefined, work: (tx: T) => Promise<R>): Promise<R> {
    const run = () => this.#source.run(options, work);
    return begins(options, this.current()) ? this.#trace(run) : run();
  }

  /** One begun by hand has no callback that what is traced of it could be found by. */
  begin(options?: TransactionOptions): Promise<T> {
    return this.#source.begin(options);
  }

  current(): T | undefined {
    return this.#source.current?.();
  }
}

/** False for what runs in another transaction, or in none. */
function begins(options: TransactionOptions | OptionalTransactionOptions | undefined, current: unknown): boolean {
  const propagation = options?.propagation ?? 'required';
  return propagation === 'requires-new' || (propagation === 'required' && current === undefined);
}
