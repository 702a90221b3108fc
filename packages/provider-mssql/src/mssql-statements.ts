import type {
  Clock,
  Lease,
  LeaseSource,
  Statement,
  StatementControl,
  StatementOptions,
  StatementResult,
} from '@dbmanager/core';
import { ServerStatements } from '@dbmanager/provider-server';
import { lostError } from './errors.js';
import { promisedJob, requestJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import { addParameters, collectResult } from './mssql-values.js';
import { summarise } from './statement-text.js';
import type { TediousDriver, TediousRequest } from './tedious-driver.js';

/** What {@link MssqlStatements} is made of. */
export interface MssqlStatementsSetup {
  readonly driver: TediousDriver;
  readonly clock: Clock;
  readonly control: StatementControl<MssqlConnection>;
}

/**
 * The statements of one engine. One with parameters is run by `sp_executesql`, so that no value is ever part of a text; one
 * without is a batch.
 */
export class MssqlStatements extends ServerStatements<MssqlConnection, StatementResult> {
  readonly driver: TediousDriver;

  constructor({ driver, clock, control }: MssqlStatementsSetup) {
    super({ clock, control, summarise });
    this.driver = driver;
  }

  protected override async runOn(
    lease: Lease<MssqlConnection>,
    source: LeaseSource<MssqlConnection>,
    statement: Statement,
    options: StatementOptions,
  ): Promise<StatementResult> {
    const { connection } = lease;
    connection.beginLease(lease.id);
    const result = await super.runOn(lease, source, statement, options);
    if (connection.isSpoilt) lease.release(spoiltError(source.name));
    return result;
  }

  protected send(
    connection: MssqlConnection,
    statement: Statement,
    options: StatementOptions,
  ): Promise<StatementResult> {
    const request = this.request(statement);
    const result = collectResult(request, options.byPosition === true);
    const job = requestJob(howToSend(statement), request, undefined, { timeoutMs: 0 });
    return promisedJob(job, (complete) => connection.submit(complete), result);
  }

  protected resultOf(result: StatementResult): StatementResult {
    return result;
  }

  /** A statement as tedious takes it. Throws for a value that cannot be sent. */
  request({ sql, params = [] }: Statement): TediousRequest {
    const request = new this.driver.Request(sql, () => {});
    addParameters(this.driver, request, params);
    return request;
  }
}

/** The error to give back a connection with that is not to be used again. */
export function spoiltError(connectionName: string) {
  return lostError('what was set on it lasts', connectionName);
}

/** By which request of tedious a statement is sent. */
export function howToSend({ params = [] }: Statement): 'execSql' | 'execSqlBatch' {
  return params.length === 0 ? 'execSqlBatch' : 'execSql';
}
