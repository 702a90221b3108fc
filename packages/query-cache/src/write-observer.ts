import type { ObservedEngine, StatementObservation, StatementObserver } from '@dbmanager/core';
import type { StatementEffects } from './statement-effects.js';

/** What is done when tables have changed. */
export type OnChange = (tables: Iterable<string>) => void;

/** What is known of the transaction of one connection. */
interface Progress {
  /** Changed since the last end of a transaction: with a COMMIT others see it. */
  readonly tables: Set<string>;
  /** Transactions begun and not ended: SQL Server counts them, and the last COMMIT is the one. */
  depth: number;
}

const NOTHING: StatementObservation = { end() {}, fail() {} };

/**
 * Tells of every change to tables when it has been made, by whatever door, and again when it is committed: what was read in between is
 * what was there before.
 */
export class WriteObserver implements StatementObserver {
  readonly #effects: (sql: string) => StatementEffects;
  readonly #counted: boolean;
  readonly #onChange: OnChange;
  readonly #progress = new WeakMap<object, Progress>();
  /** Of connections that are not told apart: it is never forgotten what they have changed. */
  readonly #unknown: Progress = { tables: new Set(), depth: 1 };

  constructor({ lexis }: ObservedEngine, effects: (sql: string) => StatementEffects, onChange: OnChange) {
    this.#effects = effects;
    this.#counted = lexis?.semicolons === 'optional';
    this.#onChange = onChange;
  }

  begin(sql: string, _parameterised: boolean, connection?: object): StatementObservation {
    const effects = this.#effects(sql);
    if (effects.writes.length === 0 && effects.control === undefined) return NOTHING;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      this.#apply(effects, connection);
    };
    // What failed may have been done: the connection may have died after it.
    return { end, fail: end };
  }

  beginCommand(): StatementObservation {
    return NOTHING;
  }

  #apply({ writes, control }: StatementEffects, connection: object | undefined): void {
    const progress = this.#progressOf(connection);
    for (const table of writes) progress.tables.add(table);
    if (control === 'rollback') progress.depth = 0;
    else if (control === undefined) this.#onChange(writes);
    else this.#turn(progress, control, connection !== undefined);
  }

  /** A transaction begins, before which an open one is committed, or is committed. */
  #turn(progress: Progress, control: 'begin' | 'commit', known: boolean): void {
    if (progress.tables.size > 0) this.#onChange(progress.tables);
    const nested = progress.depth > (control === 'begin' ? 0 : 1);
    if (known && !nested) progress.tables.clear();
    progress.depth = control === 'begin' ? (this.#counted ? progress.depth + 1 : 1) : Math.max(0, progress.depth - 1);
  }

  #progressOf(connection: object | undefined): Progress {
    if (connection === undefined) return this.#unknown;
    let progress = this.#progress.get(connection);
    if (progress === undefined) {
      progress = { tables: new Set(), depth: 0 };
      this.#progress.set(connection, progress);
    }
    return progress;
  }
}
