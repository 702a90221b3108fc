import assert from 'node:assert/strict';
import {
  DbManagerError,
  type ErrorCode,
  isDbManagerError,
  type Row,
  type SqlEngine,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import { TestConnection, type TestOptions } from '../test-connection.js';
import type { ProviderSuiteSetup } from './suite-setup.js';

/** What one test works with: an open connection, sessions on it, and a table of its own. */
export class SuiteCase<C> {
  readonly connection: TestConnection<C>;
  readonly #textType: string;
  readonly #sessions: SqlSession[] = [];
  static #tables = 0;

  constructor(connection: TestConnection<C>, textType = 'VARCHAR(64)') {
    this.connection = connection;
    this.#textType = textType;
  }

  /** Runs `body` on a connection of its own, and checks at the end that nothing was left behind. */
  static async run<C, O extends object>(
    { provider, connection, hooks, textType }: ProviderSuiteSetup<C, O>,
    body: (test: SuiteCase<C>) => Promise<void>,
    options: TestOptions<O> = {},
  ): Promise<void> {
    const opened = await TestConnection.open(provider, { ...connection(), ...options }, { name: 'suite' });
    const test = new SuiteCase(opened, textType);
    try {
      await body(test);
      test.#releaseAll();
      assert.equal(test.connection.lanes.counts.pending, 0, 'nobody is left waiting');
    } finally {
      test.#releaseAll();
      await test.connection.close();
    }
    await hooks?.assertSettled?.();
  }

  get sql(): SqlEngine<C> {
    assert.ok(this.connection.engine.sql, 'the engine has the sql capability');
    return this.connection.engine.sql;
  }

  /** A session that is released at the end. */
  session(): SqlSession {
    const session = this.sql.session(this.connection.lanes);
    this.#sessions.push(session);
    return session;
  }

  /** Runs one statement by itself, as the engine does that, or in a session that is released after it. */
  async alone(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    const { sql } = this;
    const { lanes } = this.connection;
    if (sql.run !== undefined) return sql.run(lanes, statement, options);
    const session = sql.session(lanes);
    try {
      return await session.query(statement, options);
    } finally {
      session.release();
    }
  }

  /** `sql` with its `?` in the engine's style. */
  statement(sql: string, ...params: readonly unknown[]): Statement {
    const { placeholders } = this.sql;
    if (placeholders === 'question-mark') return { sql, params };
    const prefix = placeholders === 'numbered' ? '$' : '@p';
    let next = 1;
    return { sql: sql.replaceAll('?', () => `${prefix}${next++}`), params };
  }

  /** Runs `body` with a new table of two columns, `k` (the primary key) and `v`. */
  async withTable(body: (table: SuiteTable<C>) => Promise<void>): Promise<void> {
    const table = new SuiteTable(this, `dbm_suite_${process.pid}_${SuiteCase.#tables++}`);
    const type = this.#textType;
    await table.run(`CREATE TABLE ${table.name} (k ${type} PRIMARY KEY, v ${type})`);
    try {
      await body(table);
    } finally {
      this.#releaseAll();
      await table.run(`DROP TABLE ${table.name}`);
    }
  }

  #releaseAll(): void {
    for (const session of this.#sessions.splice(0)) session.release();
  }
}

/** The table of a test. */
export class SuiteTable<C> {
  readonly name: string;
  readonly #test: SuiteCase<C>;

  constructor(test: SuiteCase<C>, name: string) {
    this.#test = test;
    this.name = name;
  }

  /** Runs a statement in a session of its own. */
  async run(sql: string, ...params: readonly unknown[]) {
    const session = this.#test.sql.session(this.#test.connection.lanes);
    try {
      return await session.query(this.#test.statement(sql, ...params));
    } finally {
      session.release();
    }
  }

  insertion(k: string, v: string | null = 'value'): Statement {
    return this.#test.statement(`INSERT INTO ${this.name} (k, v) VALUES (?, ?)`, k, v);
  }

  selection(): Statement {
    return { sql: `SELECT k, v FROM ${this.name} ORDER BY k` };
  }

  /** The keys that others see now. */
  async keys(): Promise<unknown[]> {
    const { rows } = await this.run(this.selection().sql);
    return plain(rows).map((row) => row.k);
  }
}

/** Rejects unless `work` rejects with a DbManagerError of one of these codes; resolves to that error. */
export async function rejection(work: Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<DbManagerError> {
  const error = await work.then(
    () => assert.fail(`expected a rejection with ${codes.join(' or ')}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DbManagerError, `expected a DbManagerError, not ${String(error)}`);
  if (codes.length > 0)
    assert.ok(
      codes.some((code) => isDbManagerError(error, code)),
      `expected ${codes.join(' or ')}, not ${error.code}`,
    );
  assert.ok(error.message.length > 0);
  return error;
}

/** Rows as plain objects of this realm: a native driver shared by several test realms makes them in another. */
export function plain(rows: readonly Row[]): Row[] {
  return Array.from(rows, (row) => ({ ...row }));
}
