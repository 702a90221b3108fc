import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { settlesWithin, systemClock } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, QueryResult } from 'kysely';
import { portions } from './portions.js';
import type { Statements } from './statements.js';

/** A column, as mysql2 shows it to a `typeCast`. */
export interface MysqlColumn {
  /** `JSON`, `LONGLONG`, `VAR_STRING` … */
  readonly type: string;
  readonly table: string;
  readonly name: string;
  /** MariaDB: `json` for a column of that type, whose `type` is that of a text. */
  readonly extendedFormat?: string | undefined;
  string(encoding?: string): string | null;
  buffer(): Buffer | null;
}

/** How mysql2 reads results: its options of a query, which mean what they mean in mysql2. */
export interface MysqlResults {
  readonly supportBigNumbers?: boolean;
  readonly bigNumberStrings?: boolean;
  readonly dateStrings?: boolean | readonly ('TIMESTAMP' | 'DATETIME' | 'DATE')[];
  readonly typeCast?: boolean | ((column: MysqlColumn, next: () => unknown) => unknown);
}

interface MysqlQuery extends MysqlResults {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** A query without a callback; it ends when its answer has been read, or has gone by. */
interface SentQuery extends EventEmitter {
  stream(options: { readonly highWaterMark: number }): Readable;
}

/** What is needed of mysql2's `PoolConnection`, or of what behaves as one in a transaction. */
export interface MysqlClient {
  /** The socket. */
  readonly stream: Socket;
  query(query: MysqlQuery, callback: (error: unknown, result: unknown) => void): unknown;
  query(query: MysqlQuery): SentQuery;
  release(): void;
  destroy(): void;
}

/** What mysql2 gives for a statement without rows. */
interface Summary {
  /** 0 is none; text when a number cannot hold it. */
  readonly insertId: number | string;
  readonly affectedRows: number;
  readonly changedRows: number;
}

/** How long the rest of a result that nobody reads may take to go by before the server is asked to stop it. */
const DRAIN_MS = 50;

/** Statements on a connection of mysql2; `results` goes with each, as it must not stand on a shared connection. */
export class MysqlStatements implements Statements {
  readonly #client: MysqlClient;
  readonly #results: MysqlResults | undefined;
  readonly #stop: (() => Promise<void>) | undefined;

  /** @param stop asks the server to stop what runs; left out: what nobody reads goes by. */
  constructor(client: MysqlClient, results: MysqlResults | undefined, stop?: () => Promise<void>) {
    this.#client = client;
    this.#results = results;
    this.#stop = stop;
  }

  async execute({ sql, parameters }: CompiledQuery): Promise<QueryResult<unknown>> {
    const result = await this.send(sql, parameters);
    if (!isSummary(result)) return { rows: Array.isArray(result) ? result : [] };
    const { insertId, affectedRows, changedRows } = result;
    return {
      rows: [],
      ...(insertId !== 0 && { insertId: BigInt(insertId) }),
      numAffectedRows: BigInt(affectedRows),
      numChangedRows: BigInt(changedRows),
    };
  }

  /** One text; of several statements in it a list of what each gave. */
  send(sql: string, values: readonly unknown[] = []): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#client.query({ ...this.#results, sql, values }, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
  }

  async *stream({ sql, parameters }: CompiledQuery, chunkSize: number): AsyncGenerator<QueryResult<unknown>, void> {
    const { stream: socket } = this.#client;
    const query = this.#client.query({ ...this.#results, sql, values: parameters });
    const rows = query.stream({ highWaterMark: chunkSize });
    const over = Promise.withResolvers<void>();
    query.once('end', over.resolve);
    // mysql2 may leave the reader of a connection that dies waiting.
    const onClose = () => {
      rows.destroy(new Error('Connection lost: The server closed the connection.'));
      over.resolve();
    };
    socket.once('close', onClose);
    try {
      yield* portions(rows, chunkSize);
    } finally {
      if (!(await settlesWithin(systemClock, over.promise, DRAIN_MS))) await this.#stop?.();
      await over.promise;
      socket.off('close', onClose);
    }
  }
}

function isSummary(result: unknown): result is Summary {
  return typeof result === 'object' && result !== null && 'insertId' in result && 'affectedRows' in result;
}
