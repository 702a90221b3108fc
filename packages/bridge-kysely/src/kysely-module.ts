import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as kysely from 'kysely';

/** The package `kysely`. Several copies of it may be in one process: an ORM brings its own. */
export type KyselyModule = typeof kysely;

/** Loads the copy of Kysely that `from` (a module's URL or path) would load. */
export function loadKysely(from: string, by: string, connectionName: string): KyselyModule {
  return loadPeer('kysely', from, { by, connectionName });
}
