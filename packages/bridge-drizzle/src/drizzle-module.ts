import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolvePeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as Mysql2 from 'drizzle-orm/mysql2';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as NodePostgres from 'drizzle-orm/node-postgres';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as SqliteProxy from 'drizzle-orm/sqlite-proxy';

/** The drivers of Drizzle that are used here. */
export interface DrizzleModules {
  mysql2: typeof Mysql2;
  'node-postgres': typeof NodePostgres;
  'sqlite-proxy': typeof SqliteProxy;
}

const NEEDED_BY = 'the Drizzle bridge';

const loaded = new Map<string, unknown>();

/**
 * Loads a driver of Drizzle. Throws `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_PACKAGE_VERSION` for a version of Drizzle that this
 * bridge has not been tested with: the range of its `peerDependencies` is narrow, as the next one may have other inner parts.
 */
export function loadDrizzle<D extends keyof DrizzleModules>(driver: D, connectionName: string): DrizzleModules[D] {
  const known = loaded.get(driver);
  if (known !== undefined) return known as DrizzleModules[D];
  const file = resolvePeer(`drizzle-orm/${driver}`, import.meta.url, { by: NEEDED_BY, connectionName });
  const require = createRequire(file);
  const module = require(sameBuild(file, require)) as DrizzleModules[D];
  loaded.set(driver, module);
  return module;
}

/**
 * The file of the build that the application uses. Drizzle has two side by side, and an error class of the one is none of
 * the other: `instanceof DrizzleQueryError` would fail. The CommonJS build is taken when it has been loaded already.
 */
function sameBuild(file: string, require: NodeJS.Require): string {
  const modules = file.replace(/\.cjs$/, '.js');
  const isCommonJs = require.resolve('../entity.cjs') in require.cache;
  return isCommonJs || !existsSync(modules) ? file : modules;
}
