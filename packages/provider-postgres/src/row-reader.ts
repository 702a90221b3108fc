import type { Row, StatementOptions } from '@dbmanager/core';
import type { PgConnection, PgDriver, PgField, PgResult } from './pg-driver.js';
import { resultColumn } from './result-column.js';

/** Rows fetched at a time: enough to hide the round trip, few enough to stay small. */
const PORTION = 128;

/**
 * Reads the result of one statement in portions, so that memory stays bounded (PostgreSQL protocol, "Extended Query":
 * Execute with a row limit). Submit it with `client.query(reader)`; pg calls the `handle…` methods.
 */
export class RowReader {
  readonly #driver: PgDriver;
  /** As pg's own queries have it, for who observes them. */
  text: string;
  readonly values: readonly unknown[];
  readonly #onColumns: StatementOptions['onColumns'];
  #connection: PgConnection | undefined;
  #rows: Row[] = [];
  #error: unknown;
  #state: 'reading' | 'suspended' | 'ended' = 'reading';
  /** The statement's one Sync has been sent; the server answers it with ReadyForQuery. */
  #synced = false;
  #wake: (() => void) | undefined;
  /** pg puts the client's type parsers in here. */
  readonly _result: PgResult;

  constructor(
    driver: PgDriver,
    text: string,
    values: readonly unknown[] = [],
    onColumns?: StatementOptions['onColumns'],
  ) {
    this.#onColumns = onColumns;
    this.#driver = driver;
    this.text = text;
    this.values = values;
    this._result = new driver.Result();
  }

  /** The next rows, or undefined after the last. Rejects with the error of the driver. */
  async read(): Promise<Row[] | undefined> {
    if (this.#state === 'suspended') this.#fetch();
    while (this.#state === 'reading') {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
    const rows = this.#rows;
    this.#rows = [];
    return rows.length === 0 && this.#state === 'ended' ? undefined : rows;
  }

  /** Ends the statement when it has not ended; the client is ready again soon after. */
  close(): void {
    if (this.#state !== 'suspended') return;
    this.#connection?.close({ type: 'P' });
    this.#sync();
    this.#end();
  }

  submit(connection: PgConnection): null {
    this.#connection = connection;
    connection.stream.cork();
    try {
      connection.parse({ text: this.text });
      connection.bind({ values: this.values, valueMapper: this.#driver.utils.prepareValue });
      connection.describe({ type: 'P' });
      this.#fetch();
    } catch (error) {
      // A value that cannot be sent. What went out before it is answered at the Sync.
      this.#error = error;
      this.#sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  handleRowDescription(message: { fields: readonly PgField[] }): void {
    this.#onColumns?.(message.fields.map((field) => resultColumn(this.#driver, field)));
    this._result.addFields(message.fields);
  }

  handleDataRow(message: { fields: readonly unknown[] }): void {
    if (this.#error !== undefined) return;
    try {
      this.#rows.push(this._result.parseRow(message.fields));
    } catch (error) {
      // Of a type parser.
      this.#error = error;
    }
  }

  handlePortalSuspended(): void {
    this.#state = 'suspended';
    if (this.#error !== undefined) this.close();
    this.#wake?.();
  }

  handleCommandComplete(): void {
    this.#sync();
  }

  handleEmptyQuery(): void {
    this.#sync();
  }

  handleCopyInResponse(connection: PgConnection): void {
    connection.sendCopyFail('a stream has nothing to copy from');
    this.#sync();
  }

  handleCopyData(): void {
    this.#error ??= new Error('the data of COPY cannot be read as rows');
  }

  handleError(error: unknown): void {
    this.#error ??= error;
    this.#sync();
    this.#end();
  }

  handleReadyForQuery(): void {
    this.#end();
  }

  #fetch(): void {
    this.#state = 'reading';
    this.#connection?.execute({ rows: PORTION });
    this.#connection?.flush();
  }

  #sync(): void {
    if (this.#synced) return;
    this.#synced = true;
    this.#connection?.sync();
  }

  #end(): void {
    this.#state = 'ended';
    this.#wake?.();
  }
}
