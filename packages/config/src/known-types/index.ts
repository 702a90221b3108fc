import type { KnownType } from './known-type.js';
import { MONGODB } from './mongodb.js';
import { MSSQL } from './mssql.js';

/** Types of the documented configuration whose providers are packages of their own. */
export const KNOWN_TYPES: readonly KnownType[] = [MSSQL, MONGODB];

/** The package to install for a type that no provider is registered for; undefined when it is not known either. */
export function packageOfType(type: string): string | undefined {
  return KNOWN_TYPES.find((known) => known.type === type || known.aliases?.includes(type) === true)?.package;
}
