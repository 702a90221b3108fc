import { abortedError, type HeldTurn, type Row, type StatementWatch } from '@dbmanager/core';

/** Reads the result of one statement in portions, so that memory stays bounded. */
export interface PortionReader {
  /** The next rows, or undefined after the last. */
  read(): Promise<readonly Row[] | undefined>;
}

/** What {@link rowPortions} reads by. */
export interface RowPortions<C, R extends PortionReader> {
  readonly connectionName: string;
  readonly turn: HeldTurn<C>;
  readonly watch: StatementWatch<C>;
  readonly signal: AbortSignal | undefined;
  /** Sends the statement. */
  open(): R;
  /** The error to reject with, for that of the watch. */
  failed(error: unknown): unknown;
  /** Resolves when the connection is ready for the next statement, or destroyed; without a reader nothing was sent. */
  settle(reader: R | undefined): Promise<void>;
}

/** Gives rows one by one as they are asked for. The waits for the server are limited, those for the consumer are not. */
export async function* rowPortions<C, R extends PortionReader>(portions: RowPortions<C, R>): AsyncGenerator<Row, void> {
  const { connectionName, turn, watch, signal } = portions;
  let reader: R | undefined;
  try {
    const opened = portions.open();
    reader = opened;
    for (;;) {
      const rows = await watch.guard(() => opened.read());
      if (rows === undefined) return;
      turn.yielding = true;
      for (const row of rows) {
        yield row;
        if (signal?.aborted) throw abortedError(signal, connectionName);
      }
      turn.yielding = false;
    }
  } catch (error) {
    throw portions.failed(error);
  } finally {
    await portions.settle(reader);
  }
}
