import type { Writable } from 'node:stream';
import type { ResponseSink } from '../engine/response-sink.js';
import type { SqlMessage } from '../sql-error.js';
import type { SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import { MESSAGE, PacketWriter } from './message.js';
import {
  type Column,
  columnsToken,
  type Done,
  doneToken,
  type EnvironmentChange,
  environmentToken,
  messageToken,
  returnStatusToken,
  returnValueToken,
  rowToken,
} from './tokens.js';

const HEADER_BYTES = 8;

/** Writes one response: tokens, in packets, as they come. */
export class ResponseWriter implements ResponseSink {
  readonly #stream: Writable;
  readonly #packets: PacketWriter;
  readonly #packetSize: number;
  readonly #serverName: string;
  readonly #signal: AbortSignal;
  readonly #doneOf: 'statement' | 'statement in a procedure';
  #buffered: Buffer[] = [];
  #length = 0;
  /** The end of the last statement: whether more follows shows only later. */
  #pending: Omit<Done, 'more'> | undefined;
  #failed = false;

  /** @param signal Ends the wait for a client that does not read. */
  constructor(
    stream: Writable,
    {
      spid = 0,
      packetSize,
      serverName,
      signal,
      inProcedure = false,
    }: { spid?: number; packetSize: number; serverName: string; signal: AbortSignal; inProcedure?: boolean },
  ) {
    this.#stream = stream;
    this.#packets = new PacketWriter(MESSAGE.response, spid);
    this.#packetSize = packetSize;
    this.#serverName = serverName;
    this.#signal = signal;
    this.#doneOf = inProcedure ? 'statement in a procedure' : 'statement';
  }

  columns(columns: readonly Column[]): void {
    this.token(columnsToken(columns));
  }

  row(columns: readonly Column[], values: readonly SqlValue[]): Promise<void> | undefined {
    this.token(rowToken(columns, values));
    return this.#stream.writableNeedDrain ? this.#drained() : undefined;
  }

  done({ rowCount, error = false }: { readonly rowCount?: number | undefined; readonly error?: boolean }): void {
    this.#settle();
    if (error) this.#failed = true;
    this.#pending = { of: this.#doneOf, rowCount, error };
  }

  message(message: SqlMessage): void {
    this.token(messageToken(message, this.#serverName));
  }

  environment(change: EnvironmentChange): void {
    this.token(environmentToken(change));
  }

  /** A token that is ready. */
  token(token: Buffer): void {
    this.#settle();
    this.#append(token);
  }

  /** The end of a procedure that was called: its status and output parameters. */
  procedureDone(
    status: number,
    outputs: readonly { readonly name: string; readonly type: SqlType; readonly value: SqlValue }[],
  ): void {
    this.token(returnStatusToken(status));
    for (const [index, { name, type, value }] of outputs.entries())
      this.token(returnValueToken(index, name, type, value));
    this.#pending = { of: 'procedure', error: this.#failed };
  }

  /** Ends the response. */
  end(last: Partial<Done> = {}): void {
    const pending = this.#pending ?? { of: 'statement' as const };
    this.#pending = undefined;
    this.#append(doneToken({ ...pending, ...last, more: false }));
    this.#write(true);
  }

  #settle(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#append(doneToken({ ...pending, more: true }));
  }

  #append(token: Buffer): void {
    this.#buffered.push(token);
    this.#length += token.length;
    if (this.#length > (this.#packetSize - HEADER_BYTES) * 4) this.#write(false);
  }

  /** Writes what is buffered: whole packets only, but for the last one. */
  #write(end: boolean): void {
    const all = Buffer.concat(this.#buffered);
    const room = this.#packetSize - HEADER_BYTES;
    const length = end ? all.length : all.length - (all.length % room);
    for (const packet of this.#packets.packets(all.subarray(0, length), this.#packetSize, end))
      this.#stream.write(packet);
    this.#buffered = length === all.length ? [] : [all.subarray(length)];
    this.#length = all.length - length;
  }

  #drained(): Promise<void> {
    const stream = this.#stream;
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        stream.off('drain', drain);
        stream.off('close', drain);
        signal.removeEventListener('abort', abort);
        settle();
      };
      const drain = () => done(resolve);
      const abort = () => done(() => reject(signal.reason));
      stream.once('drain', drain);
      stream.once('close', drain);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
