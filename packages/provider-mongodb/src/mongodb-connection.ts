import type { Clock } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ClientSession } from 'mongodb';
import type { MongoClient } from './mongodb-driver.js';

/** What a lease lends: a session of the shared client. The driver's own pool gives each operation its connection. */
export interface MongodbConnection {
  readonly client: MongoClient;
  /** Ended when the lease is given back, and with it a transaction that is left open. */
  readonly session: ClientSession;
  /** What durations are measured by. */
  readonly clock: Clock;
}
