import {
  type Clock,
  type LeaseSource,
  type Statement,
  type StatementControl,
  type StatementOptions,
  type StatementResult,
  unobserved,
} from '@dbmanager/core';
import { ServerStatements } from '@dbmanager/provider-server';
import {
  destroySocket,
  isGone,
  type MysqlAnswer,
  type MysqlCommand,
  type MysqlConnection,
  type MysqlDriver,
  runPrepared,
  runText,
  sendPrepared,
} from './mysql-driver.js';
import { statementResult, toParameters } from './mysql-values.js';
import type { PreparedStatements } from './prepared-statements.js';
import { limitOf } from './server-limit.js';
import { summarise } from './statement-text.js';

/** What {@link MysqlStatements} is made of. */
export interface MysqlStatementsSetup {
  readonly driver: MysqlDriver;
  readonly clock: Clock;
  readonly control: StatementControl<MysqlConnection>;
  readonly prepared: PreparedStatements;
}

type Source = LeaseSource<MysqlConnection>;

/** The statements of one engine. Those with parameters are prepared on the server, so that no value is ever part of a text. */
export class MysqlStatements extends ServerStatements<MysqlConnection, MysqlAnswer> {
  readonly driver: MysqlDriver;
  readonly #prepared: PreparedStatements;

  constructor({ driver, clock, control, prepared }: MysqlStatementsSetup) {
    super({ clock, control, summarise });
    this.driver = driver;
    this.#prepared = prepared;
  }

  protected send(connection: MysqlConnection, statement: Statement, options: StatementOptions): Promise<MysqlAnswer> {
    const { sql, params } = statement;
    this.keep(connection, statement, options);
    const text = { sql, rowsAsArray: options.byPosition ?? false };
    if (params === undefined || params.length === 0) return runText(connection, text);
    return runPrepared(connection, { ...text, values: toParameters(this.driver, params) });
  }

  protected resultOf(answer: MysqlAnswer, { byPosition = false }: StatementOptions): StatementResult {
    return statementResult(answer, byPosition);
  }

  /** The command of a statement, for its events. */
  sendForRows(connection: MysqlConnection, { sql, params = [] }: Statement): MysqlCommand {
    if (params.length === 0) return connection.query({ sql }) as unknown as MysqlCommand;
    return sendPrepared(connection, { sql, values: toParameters(this.driver, params) });
  }

  /** Frees what was closed, and remembers what is to be: before anything is sent. */
  keep(connection: MysqlConnection, { sql, params = [] }: Statement, { prepared }: StatementOptions): void {
    this.#prepared.free(connection);
    if (prepared && params.length > 0) this.#prepared.keep(connection, sql);
  }

  override async limited<T>(connection: MysqlConnection, source: Source, limitMs: number, work: () => Promise<T>) {
    const limit = limitOf(connection);
    if (limit === undefined) return work();
    await this.#set(connection, source, limit.assignment(limitMs));
    try {
      return await work();
    } finally {
      if (!isGone(connection)) {
        const restored = this.#set(connection, source, limit.assignment(limit.timeoutMs));
        await restored.catch(() => destroySocket(connection));
      }
    }
  }

  /** A statement of ours, which no user has asked for. */
  #set(connection: MysqlConnection, source: Source, assignment: string): Promise<unknown> {
    return unobserved(() => this.run(connection, source, { sql: `SET ${assignment}` }, {}));
  }

  protected override limitOf(connection: MysqlConnection): number {
    return limitOf(connection)?.timeoutMs ?? 0;
  }
}
