import type { ObservedEngine, StatementObservation, StatementObserver } from '@dbmanager/core';
import type { StatementEffects, TransactionControl } from './statement-effects.js';

/** Who is told of changes to tables. */
export interface ChangeListener {
  /** Tables have changed, or their changes have become visible. */
  changed(tables: Iterable<string>): void;
  /** They may change yet: the server has not said how that ended. */
  doubtful(tables: Iterable<string>): void;
}

/** What is known of the transaction of one connection. */
interface Progress {
  /** Changed since the last end of a transaction: with a COMMIT others see it. */
  readonly tables: Set<string>;
  /** Transactions begun and not ended: SQL Server counts them, and the last COMMIT is the one. */
  depth: number;
}

/** How a statement ended: `refused` by the server, or `unknown`, as the server said nothing. */
type Ending = 'done' | 'refused' | 'unknown';

const NOTHING: StatementObservation = { end() {}, fail() {} };

/**
 * Tells of every change to tables when it has been made, by whatever door, and again when its transaction ends: what was read in
 * between is what was there before, or, where a reader did not mind, what was never committed.
 */
export class WriteObserver implements StatementObserver {
  readonly #effects: (sql: string) => StatementEffects;
  readonly #counted: boolean;
  readonly #listener: ChangeListener;
  readonly #progress = new WeakMap<object, Progress>();
  /** Of connections that are not told apart: it is never forgotten what they have changed. */
  readonly #unknown: Progress = { tables: new Set(), depth: 1 };

  constructor({ lexis }: ObservedEngine, effects: (sql: string) => StatementEffects, listener: ChangeListener) {
    this.#effects = effects;
    this.#counted = lexis?.semicolons === 'optional';
    this.#listener = listener;
  }

  begin(sql: string, _parameterised: boolean, connection?: object): StatementObservation {
    const effects = this.#effects(sql);
    if (effects.writes.length === 0 && effects.controls.length === 0) return NOTHING;
    let ended = false;
    const end = (ending: Ending) => {
      if (ended) return;
      ended = true;
      this.#apply(effects, connection, ending);
    };
    return {
      end: () => end('done'),
      // What failed may have been done: of several statements some, or all if the answer was lost.
      fail: (_error, status) => end(status === undefined ? 'unknown' : 'refused'),
    };
  }

  beginCommand(): StatementObservation {
    return NOTHING;
  }

  #apply({ writes, controls }: StatementEffects, connection: object | undefined, ending: Ending): void {
    const progress = this.#progressOf(connection);
    for (const table of writes) progress.tables.add(table);
    const tables = controls.length === 0 ? writes : [...progress.tables];
    if (tables.length > 0) this.#listener.changed(tables);
    if (ending === 'done') this.#advance(progress, controls, writes.length === 0 && connection !== undefined);
    else if (ending === 'unknown' && tables.length > 0) this.#listener.doubtful(tables);
  }

  /**
   * The transaction after these. What it has changed is forgotten only by one that stands alone in its text, as it is not known of
   * others which of them was the last to run, and only if it has surely ended.
   */
  #advance(progress: Progress, controls: readonly TransactionControl[], mayForget: boolean): void {
    const [control, ...others] = controls;
    const alone = others.length === 0;
    const before = progress.depth;
    for (const each of controls) progress.depth = this.#depthAfter(each, progress.depth, alone);
    const none = control === 'begin' ? before === 0 : control === 'commit' && progress.depth === 0;
    if (mayForget && alone && none) progress.tables.clear();
  }

  #depthAfter(control: TransactionControl, depth: number, alone: boolean): number {
    switch (control) {
      case 'begin':
        return this.#counted ? depth + 1 : 1;
      case 'commit':
        return Math.max(0, depth - 1);
      case 'rollback':
        // Beside others it mostly stands in a branch.
        return alone ? 0 : depth;
      default:
        return depth;
    }
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
