import { isUnobserved, type StatementObservation, type StatementObserver } from '@dbmanager/core';
import { sqliteCode } from './errors.js';
import type { SqliteDatabase } from './sqlite-driver.js';

type Method = (this: DriverStatement, ...values: unknown[]) => unknown;

/** The members of a better-sqlite3 `Statement` that are looked at here. */
interface DriverStatement {
  readonly source: string;
  readonly reader: boolean;
  run: Method;
  get: Method;
  all: Method;
  iterate: Method;
}

/** Handles that are observed, each with how often that was asked for: connections may share one. */
const observed = new WeakMap<SqliteDatabase, { uses: number; restore(): void }>();

/**
 * Tells of what is sent on a handle from now on by those who are lent it; what it returns ends that. What the package itself
 * sends is {@link unobserved} here: sessions tell of it, as they know which attempts are one statement.
 */
export function observeHandle(database: SqliteDatabase, observer: StatementObserver): () => void {
  const handle = observed.get(database) ?? { uses: 0, restore: replaceMembers(database, observer) };
  observed.set(database, handle);
  handle.uses++;
  return () => {
    if (--handle.uses > 0) return;
    handle.restore();
    observed.delete(database);
  };
}

/** Does `work`, a statement, and tells how it ended. */
function observeStatement<T>(
  observation: StatementObservation,
  work: () => T,
  rows: (result: T) => number | undefined,
): T {
  const result = unlessFailed(work, () => observation);
  observation.end(rows(result));
  return result;
}

/** Tells of a statement that failed. */
export function failed(observation: StatementObservation, error: unknown): void {
  observation.fail(error, sqliteCode(error));
}

function replaceMembers(database: SqliteDatabase, observer: StatementObserver): () => void {
  const { prepare, exec } = database;
  let prototype: object | undefined;
  const members = {
    prepare(sql: string) {
      if (isUnobserved()) return prepare.call(database, sql);
      // A text that cannot be prepared is a statement that failed.
      const statement = unlessFailed(
        () => prepare.call(database, sql),
        () => observer.begin(sql, false, database),
      );
      prototype ??= observedPrototype(Object.getPrototypeOf(statement) as DriverStatement, observer, database);
      return Object.setPrototypeOf(statement, prototype);
    },
    exec(sql: string) {
      if (isUnobserved()) return exec.call(database, sql);
      return observeStatement(
        observer.begin(sql, false, database),
        () => exec.call(database, sql),
        () => undefined,
      );
    },
  };
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(database, name, { value, configurable: true, writable: true });
  }
  return () => {
    for (const name of Object.keys(members)) Reflect.deleteProperty(database, name);
  };
}

/** Does `work`; when that fails, tells so the observation that `observation` gives. */
function unlessFailed<T>(work: () => T, observation: () => StatementObservation): T {
  try {
    return work();
  } catch (error) {
    failed(observation(), error);
    throw error;
  }
}

/** Of statements that tell of each time they are run. */
function observedPrototype(driver: DriverStatement, observer: StatementObserver, database: SqliteDatabase): object {
  const begin = (statement: DriverStatement, values: readonly unknown[]) =>
    observer.begin(statement.source, values.length > 0, database);

  const telling = (method: Method, rows: (result: unknown, statement: DriverStatement) => number | undefined): Method =>
    function (...values) {
      const run = () => method.apply(this, values);
      return isUnobserved() ? run() : observeStatement(begin(this, values), run, (result) => rows(result, this));
    };

  const iterate: Method = function (...values) {
    if (isUnobserved()) return driver.iterate.apply(this, values);
    const observation = begin(this, values);
    const open = () => driver.iterate.apply(this, values) as IterableIterator<unknown>;
    return countedRows(
      unlessFailed(open, () => observation),
      observation,
    );
  };
  const own = {
    run: telling(driver.run, () => undefined),
    get: telling(driver.get, (row, { reader }) => (reader ? Number(row !== undefined) : undefined)),
    all: telling(driver.all, (rows) => (rows as readonly unknown[]).length),
    iterate,
  };
  return Object.create(
    driver,
    Object.fromEntries(
      Object.entries(own).map(([name, value]) => [name, { value, configurable: true, writable: true }]),
    ),
  );
}

/** The rows of a statement, which ends with the last of them, or when nobody wants more. */
function countedRows(rows: IterableIterator<unknown>, observation: StatementObservation): IterableIterator<unknown> {
  let count = 0;
  return {
    next() {
      try {
        const next = rows.next();
        if (next.done === true) observation.end(count);
        else count++;
        return next;
      } catch (error) {
        failed(observation, error);
        throw error;
      }
    },
    return(value) {
      observation.end(count);
      return rows.return?.(value) ?? { done: true, value };
    },
    [Symbol.iterator]() {
      return this;
    },
  };
}
