import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as Mongodb from 'mongodb';

/** The module `mongodb`. */
export type MongodbDriver = typeof Mongodb;

/** The driver's client: it has a pool for each server of the deployment. */
export type MongoClient = Mongodb.MongoClient;

/** Loads `mongodb`. Throws `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_PACKAGE_VERSION` for one that was not tested. */
export function loadMongodb(connectionName: string): MongodbDriver {
  return loadPeer<MongodbDriver>('mongodb', import.meta.url, { by: 'type mongodb', connectionName });
}

/** True for a client of whatever copy of the driver. */
export function isMongoClient(handle: unknown): handle is MongoClient {
  const { db, startSession, options, on } = (handle ?? {}) as Partial<MongoClient>;
  return (
    typeof db === 'function' &&
    typeof startSession === 'function' &&
    typeof on === 'function' &&
    typeof options === 'object' &&
    'hosts' in options
  );
}

/** A connection of the driver's pool. */
interface DriverConnection {
  readonly id: number | '<monitor>';
  /** One that is not the pool's own marks a connection that is not to be used again. */
  generation: number;
}

/** What is used of the driver's inner parts: the idle connections of the pool of each server. */
interface InnerClient {
  readonly topology?: {
    readonly s?: {
      readonly servers?: ReadonlyMap<string, { readonly pool?: { readonly connections?: Iterable<DriverConnection> } }>;
    };
  };
}

/** No pool ever has it. */
const NO_GENERATION = -1;

/**
 * Has the driver close an idle connection: it takes it for one of another generation, at the next checkout or within 100 ms.
 * The driver has no public way. True when that was done; a connection that is in use, or has gone, is left alone.
 */
export function closeIdle(client: MongoClient, address: string, connectionId: number): boolean {
  const idle = (client as unknown as InnerClient).topology?.s?.servers?.get(address)?.pool?.connections ?? [];
  for (const connection of idle) {
    if (connection.id !== connectionId) continue;
    connection.generation = NO_GENERATION;
    return true;
  }
  return false;
}

/**
 * Forgets a topology that could not be connected, so that the next operation tries again: the driver itself keeps it, and
 * all that follows fails at once.
 */
export function forgetTopology(client: MongoClient): void {
  const inner = client as unknown as { topology?: { isConnected(): boolean } | undefined };
  if (inner.topology?.isConnected() === false) inner.topology = undefined;
}
