import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { type Clock, DbManagerError, loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Client, Pool } from 'pg';

/** Rows of one message of a result, as pg's `Result` parses them. */
export interface PgResult {
  addFields(fields: readonly unknown[]): void;
  parseRow(fields: readonly unknown[]): Record<string, unknown>;
}

/** A column of a result, as pg parses the server's description. */
export interface PgField {
  readonly name: string;
  readonly dataTypeID: number;
}

/** The wire of a client: what this package uses of pg's `Connection`, most of which its types leave out. */
export interface PgConnection extends EventEmitter {
  readonly stream: Socket;
  /** Texts of the named statements that are prepared on it. */
  readonly parsedStatements: Record<string, string | undefined>;
  connect(port: number, host: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  parse(message: { text: string }): void;
  bind(message: { values: readonly unknown[]; valueMapper: (value: unknown) => unknown }): void;
  describe(message: { type: 'P' }): void;
  execute(message: { rows: number }): void;
  /** Of a portal, which may have no name, or of a statement. */
  close(message: { type: 'P' } | { type: 'S'; name: string }): void;
  flush(): void;
  sync(): void;
  sendCopyFail(message: string): void;
}

/** What the pool holds: a `pg.Client`, with the members that its types leave out. */
export type PgClient = Client & {
  /** False from the submission of a query to the server's ReadyForQuery. */
  readonly readyForQuery?: boolean;
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly ssl: unknown;
};

/** A `pg.Pool`. */
export type PgPool = Pool;

/** What this package uses of the module `pg`. */
export interface PgDriver {
  readonly Client: new (config: object) => PgClient;
  readonly Pool: new (config: object) => PgPool;
  readonly Connection: new (config: { ssl: unknown }) => PgConnection;
  readonly Result: new () => PgResult;
  readonly Query: new (...args: never[]) => object;
  readonly types: { readonly builtins: Readonly<Record<string, number>> };
  readonly utils: { prepareValue(value: unknown): unknown };
}

/** Loads `pg`. Rejects with `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_UNSUPPORTED` for a version that is too old. */
export function loadPg(connectionName: string): PgDriver {
  const pg = loadPeer<PgDriver>('pg', import.meta.url, { by: 'types postgres and cockroachdb', connectionName });
  if (typeof pg.Client.prototype.getTransactionStatus !== 'function') {
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      'types postgres and cockroachdb need pg 8.21 or newer; update it: npm install pg',
      {
        connectionName,
      },
    );
  }
  return pg;
}

/** The wire of a client. */
export function wireOf(client: PgClient): PgConnection {
  return client.connection as unknown as PgConnection;
}

/** Ends the connection at once; every query on it then rejects. */
export function destroySocket(client: PgClient): void {
  wireOf(client).stream.destroy();
}

/** True when the socket is gone, or about to be. */
export function isGone(client: PgClient): boolean {
  return wireOf(client).stream.destroyed;
}

/** True when nothing is under way: the next query would be sent at once. */
export function isReady(client: PgClient): boolean {
  return client.readyForQuery === true;
}

/** Calls back, once, when nothing is under way on the connection any more or it is gone; what it returns ends the wait. */
function onReady(client: PgClient, callback: () => void): () => void {
  const stop = () => {
    client.removeListener('drain', done);
    client.removeListener('end', done);
  };
  const done = () => {
    stop();
    callback();
  };
  client.on('drain', done);
  client.on('end', done);
  return stop;
}

/** Resolves when nothing is under way on the connection any more, or it is gone. */
export function untilReady(client: PgClient): Promise<void> {
  if (isReady(client) || isGone(client)) return Promise.resolve();
  return new Promise((resolve) => {
    onReady(client, resolve);
  });
}

/** Longest wait of {@link whenReady}. */
const READY_GRACE_MS = 1_000;

/**
 * Calls `act` when nothing is under way any more: at once after a query that succeeded, and after one that failed as soon
 * as its ReadyForQuery is there, which follows the error in a packet of its own. Calls it anyway after a second.
 */
export function whenReady(client: PgClient, clock: Clock, act: () => void): void {
  if (isReady(client) || isGone(client)) {
    act();
    return;
  }
  const giveUp = () => {
    stop();
    act();
  };
  const timer = clock.setTimer(READY_GRACE_MS, giveUp, { keepAlive: true });
  const stop = onReady(client, () => {
    timer.cancel();
    act();
  });
}
