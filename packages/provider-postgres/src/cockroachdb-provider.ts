import { COCKROACHDB_OPTIONS, type CockroachdbOptions } from './cockroachdb-options.js';
import { createProvider, type PgProvider } from './postgres-provider.js';
import { COCKROACHDB_KIND } from './server-kind.js';

/** Opens CockroachDB through the package `pg` (8.21 or newer), which is loaded when the first connection is opened. */
export const cockroachdbProvider: PgProvider<CockroachdbOptions> = createProvider<CockroachdbOptions>({
  type: 'cockroachdb',
  aliases: ['cockroach', 'crdb'],
  system: 'cockroachdb',
  options: COCKROACHDB_OPTIONS,
  akin: ['postgres'],
  kindOf: () => COCKROACHDB_KIND,
});
