import { BatchRunner } from './engine/batch-runner.js';
import { insertBulk } from './engine/bulk-insert.js';
import { type ProcedureCall, procedureNamed } from './engine/procedures.js';
import type { ServerControl } from './engine/server-control.js';
import type { Session } from './engine/session.js';
import { SqlError } from './sql-error.js';
import { readBatch } from './wire/batch-request.js';
import { readBulkLoad } from './wire/bulk-load.js';
import { MESSAGE, type Message } from './wire/message.js';
import type { ResponseWriter } from './wire/response-writer.js';
import { readRpc } from './wire/rpc-request.js';
import type { EnvironmentChange } from './wire/tokens.js';
import { readTransactionRequest } from './wire/transaction-request.js';

/** Runs one request of a session, and writes what it gives; its caller ends the response. */
export class RequestRunner {
  readonly #session: Session;
  readonly #control: ServerControl;
  readonly #writer: ResponseWriter;
  readonly #signal: AbortSignal;
  /** The transaction that was open when the request came: its reset bit may have ended it since. */
  readonly #before: bigint;

  constructor(session: Session, control: ServerControl, writer: ResponseWriter, signal: AbortSignal) {
    this.#session = session;
    this.#control = control;
    this.#writer = writer;
    this.#signal = signal;
    this.#before = session.transaction;
  }

  /** Rejects with `Cancelled`, or with an error that ends the connection; other errors go to the response. */
  async run(message: Message): Promise<void> {
    const session = this.#session;
    if (message.reset !== 'none') session.reset(message.reset !== 'all', this.#tell);
    const runner = new BatchRunner(session, this.#control, this.#writer, this.#signal);
    try {
      await this.#dispatch(message, runner);
    } catch (error) {
      // A value of a kind that the stand-in cannot read.
      if (!(error instanceof RangeError)) throw error;
      this.#refuse(new SqlError(50_001, `The SQL Server stand-in cannot read the request: ${error.message}.`));
    }
    runner.finish();
  }

  readonly #tell = (change: EnvironmentChange): void => this.#writer.environment(change);

  #refuse(error: SqlError): void {
    this.#writer.message(error.sqlMessage);
    this.#writer.done({ error: true });
  }

  async #dispatch({ type, data }: Message, runner: BatchRunner): Promise<void> {
    switch (type) {
      case MESSAGE.batch: {
        const { sql, transaction } = readBatch(data);
        this.#session.running = sql;
        if (this.#belongs(transaction)) await runner.run(sql);
        return;
      }
      case MESSAGE.rpc:
        await this.#call(data, runner);
        return;
      case MESSAGE.transaction:
        this.#transact(data);
        return;
      case MESSAGE.bulkLoad:
        await runner.guard(() => insertBulk(runner, readBulkLoad(data)));
        return;
      default:
        throw new SqlError(50_001, `The SQL Server stand-in takes no requests of type ${type}.`, { severity: 20 });
    }
  }

  /** A request says which transaction it belongs to: one that is over gets nothing done. */
  #belongs(transaction: bigint): boolean {
    if (transaction === this.#session.transaction || transaction === this.#before) return true;
    this.#refuse(
      new SqlError(
        3989,
        'New request is not allowed to start because it should come with valid transaction descriptor.',
      ),
    );
    return false;
  }

  async #call(data: Buffer, runner: BatchRunner): Promise<void> {
    const { procedure, parameters, transaction } = readRpc(data);
    if (!this.#belongs(transaction)) return;
    const text = parameters.find(({ value }) => typeof value === 'string')?.value;
    this.#session.running = typeof text === 'string' ? text : procedure;
    const call: ProcedureCall = { parameters: parameters.map((parameter) => ({ ...parameter })) };
    const name =
      procedure
        .split('.')
        .at(-1)
        ?.replace(/^\[(.*)\]$/, '$1') ?? '';
    const status = await runner.call(procedure, call, procedureNamed(name));
    const outputs = call.parameters.filter(({ output }) => output);
    this.#writer.procedureDone(status, outputs);
  }

  #transact(data: Buffer): void {
    const session = this.#session;
    const request = readTransactionRequest(data);
    if (!this.#belongs(request.transaction)) return;
    session.running = `${request.operation} transaction`;
    try {
      switch (request.operation) {
        case 'begin':
          if (request.isolation !== undefined) session.options.isolation = request.isolation;
          session.begin(this.#tell);
          break;
        case 'save':
          session.save(request.name);
          break;
        case 'commit':
          session.commit(this.#tell);
          break;
        case 'rollback':
          if (request.name === '' || !session.rollbackTo(request.name)) session.rollback(this.#tell);
          break;
        default:
          throw new SqlError(50_001, `The SQL Server stand-in has no transaction manager request ${request.code}.`);
      }
      this.#writer.done({});
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      this.#refuse(error);
    }
  }
}
