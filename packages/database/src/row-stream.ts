import { DbManagerError, type ResultColumn, type Row } from '@dbmanager/core';

/** Opens the rows of a statement; nothing is sent before the first is asked for. */
export type OpenRows = (onColumns: (columns: readonly ResultColumn[]) => void) => AsyncIterator<Row, void>;

/**
 * The rows of a statement, read as they are asked for and in bounded memory. Read it once, with `for await`: the connection is
 * given back at the end, and when the loop is left early. What asked for {@link columns} alone calls {@link close}.
 */
export class RowStream<T extends object = Row> implements AsyncIterable<T>, AsyncDisposable {
  readonly #rows: AsyncIterator<Row, void>;
  readonly #connectionName: string;
  #columns: readonly ResultColumn[] | undefined;
  /** The first row, once it has been asked for, until it is read. */
  #first: Promise<IteratorResult<Row, void>> | undefined;
  #read = false;

  constructor(open: OpenRows, connectionName: string) {
    this.#connectionName = connectionName;
    this.#rows = open((columns) => {
      this.#columns = columns;
    });
  }

  /**
   * The columns, with the engine's names of their types where the driver tells them; waits for the first row. Of an engine that
   * tells no columns they are the keys of that row.
   */
  async columns(): Promise<readonly ResultColumn[]> {
    if (this.#columns !== undefined) return this.#columns;
    this.#assertUnread();
    this.#first ??= this.#rows.next();
    const { value } = await this.#first;
    this.#columns ??= Object.keys(value ?? {}).map((name) => ({ name, type: undefined }));
    return this.#columns;
  }

  [Symbol.asyncIterator](): AsyncIterator<T, void> {
    this.#assertUnread();
    this.#read = true;
    // The rows' own iterator, as every wrapper costs each row another promise. `T` is the caller's word for their shape.
    const rows = this.#rows as AsyncIterator<T, void>;
    const first = this.#first as Promise<IteratorResult<T, void>> | undefined;
    let begun = first === undefined;
    return {
      next: () => {
        if (begun || first === undefined) return rows.next();
        begun = true;
        return first;
      },
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  /** Ends the statement and gives the connection back; does nothing after the end. */
  async close(): Promise<void> {
    this.#read = true;
    await this.#rows.return?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertUnread(): void {
    if (!this.#read) return;
    throw new DbManagerError('DBM_UNSUPPORTED', 'a stream is read once; send the statement again', {
      connectionName: this.#connectionName,
    });
  }
}
