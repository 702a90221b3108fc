import type { TediousBulkLoad, TediousConnection, TediousRequest } from './tedious-driver.js';

/** What a job does about the transaction of its connection. */
export type JobKind = 'statement' | 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback to savepoint';

/** What tedious calls back with. */
export type Outcome = readonly [error?: Error | null | undefined, ...results: unknown[]];

/** Hears of what the server tells beside the answer. */
export interface JobListener {
  emit(event: 'infoMessage' | 'errorMessage', message: unknown): unknown;
}

/** Something to send on a connection when its turn has come. */
export interface Job {
  readonly kind: JobKind;
  /** What is sent; empty where it is no text. */
  readonly text: string;
  /** The query that it is, for who observes; left out: none, as what prepares or frees one. */
  readonly query?: string | undefined;
  /** Isolation that a transaction is begun with, in tedious' numbers. */
  readonly isolation?: number | undefined;
  /** Limit from sending to the end, in milliseconds; 0 is none. */
  readonly timeoutMs: number;
  readonly listener?: JobListener | undefined;
  /** Whose job comes after it; that listener's `cancel()` is meant for it, too, but nothing is told there. */
  readonly sentFor?: JobListener | undefined;
  /** Of one that may be read slowly: while it is paused its time does not run. */
  readonly request?: TediousRequest | undefined;
  /** Sends it. `done` is called once, when the connection is ready for the next or gone. */
  send(connection: TediousConnection, done: (...outcome: Outcome) => void): void;
  /** The same, but that another text is sent; left out: it has none that another may stand for. */
  withText?(text: string): Job;
  /** Stops it on the server, or keeps it from being sent; left out: what runs on the connection is stopped. */
  cancel?(): void;
  /** Tells whoever asked for it. Called once, after the job has been counted as done. */
  deliver(outcome: Outcome): void;
}

/** How requests are sent; the names are those of tedious. */
export type RequestMethod = 'execSql' | 'execSqlBatch' | 'callProcedure' | 'prepare' | 'unprepare' | 'execute';

/** What all jobs of one sender have in common. */
export type JobOptions = Pick<Job, 'timeoutMs' | 'listener'>;

/** Runs a request of tedious. Its callback is put aside while it runs: the connection must hear of the end first. */
export function requestJob(
  how: RequestMethod,
  request: TediousRequest,
  parameters: unknown,
  { timeoutMs, listener }: JobOptions,
): Job {
  const { callback } = request;
  const job: Job = {
    kind: 'statement',
    text: how === 'unprepare' || how === 'execute' ? '' : (request.sqlTextOrProcedure ?? ''),
    query: queryOf(how, request),
    timeoutMs: request.timeout ?? timeoutMs,
    listener,
    request,
    send(connection, done) {
      request.callback = (...outcome: unknown[]) => {
        request.callback = callback;
        done(...(outcome as unknown as Outcome));
      };
      if (how === 'execute') connection.execute(request, parameters as Record<string, unknown> | undefined);
      else connection[how](request);
    },
    cancel: () => request.cancel(),
    deliver(outcome) {
      // Refused before it was sent it does not know that it was to be prepared, and tells otherwise.
      if (how === 'prepare') request.preparing = true;
      Reflect.apply(callback, request, outcome);
    },
  };
  return how === 'execSql' || how === 'execSqlBatch'
    ? { ...job, withText: (text) => ({ ...job, send: sendingText(job, request, text) }) }
    : job;
}

/** tedious reads the text as it is told to send it; afterwards the request has its own again. */
function sendingText({ send }: Job, request: TediousRequest, text: string): Job['send'] {
  return (connection, done) => {
    const { sqlTextOrProcedure } = request;
    request.sqlTextOrProcedure = text;
    try {
      send(connection, done);
    } finally {
      request.sqlTextOrProcedure = sqlTextOrProcedure;
    }
  };
}

function queryOf(how: RequestMethod, { sqlTextOrProcedure = '' }: TediousRequest): string | undefined {
  if (how === 'prepare' || how === 'unprepare') return undefined;
  return how === 'callProcedure' ? `EXEC ${sqlTextOrProcedure}` : sqlTextOrProcedure;
}

/** Runs a bulk load of tedious, which sends two requests. */
export function bulkLoadJob(
  bulkLoad: TediousBulkLoad,
  rows: Parameters<TediousConnection['execBulkLoad']>[1],
  { timeoutMs, listener }: JobOptions,
): Job {
  const { callback } = bulkLoad;
  return {
    kind: 'statement',
    text: 'insert bulk',
    query: `INSERT BULK ${bulkLoad.table}`,
    timeoutMs: bulkLoad.timeout ?? timeoutMs,
    listener,
    send(connection, done) {
      bulkLoad.callback = (...outcome: unknown[]) => {
        bulkLoad.callback = callback;
        done(...(outcome as unknown as Outcome));
      };
      connection.execBulkLoad(bulkLoad, rows as never);
    },
    cancel: () => bulkLoad.cancel(),
    deliver: (outcome) => void Reflect.apply(callback, bulkLoad, outcome),
  };
}

/** A job of which a promise tells; `send` calls `done` once. */
export function promisedJob<T>(
  job: Omit<Job, 'deliver'>,
  submit: (job: Job) => void,
  read: (results: readonly unknown[]) => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    submit({
      ...job,
      deliver: ([error, ...results]) => (error ? reject(error) : resolve(read(results))),
    });
  });
}
