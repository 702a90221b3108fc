import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';

const builders = new Map<string, Knex>();

/**
 * Knex as a builder of statements for one of its dialects: without a driver and without a pool, one for the whole process.
 * Throws `DBM_PACKAGE_NOT_INSTALLED` without knex.
 */
export function builderOf(client: string, connectionName: string): Knex {
  const known = builders.get(client);
  if (known !== undefined) return known;
  const knex = loadPeer<(config: object) => Knex>('knex', import.meta.url, { by: 'a repository', connectionName });
  const builder = knex({ client, useNullAsDefault: true });
  builders.set(client, builder);
  return builder;
}
