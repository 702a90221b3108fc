import { DbManagerError, loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type * as Typeorm from 'typeorm';

/** The package `typeorm`. */
export type TypeormModule = typeof Typeorm;

const NEEDED_BY = 'the TypeORM bridge';

/**
 * Loads TypeORM. Throws `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_UNSUPPORTED` for a version before 1.0, whose inner parts have
 * other names.
 */
export function loadTypeorm(connectionName: string): TypeormModule {
  const typeorm = loadPeer<TypeormModule>('typeorm', import.meta.url, { by: NEEDED_BY, connectionName });
  // 0.3 still had the functions that 1.0 removed.
  if ('createConnection' in typeorm) {
    throw new DbManagerError('DBM_UNSUPPORTED', `${NEEDED_BY} needs typeorm 1.0 or newer: npm install typeorm@1`, {
      connectionName,
    });
  }
  return typeorm;
}

/** Loads a module inside the installed TypeORM, by its path without the extension. */
export function loadTypeormPart<T>(path: string, connectionName: string): T {
  return loadPeer(`typeorm/${path}.js`, import.meta.url, { by: NEEDED_BY, connectionName });
}
