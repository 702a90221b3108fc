import { types } from 'node:util';
import { DbManagerError } from '@dbmanager/core';

/** What the writer of a test has written wrong. Tests are often written without types: what is not refused does nothing, silently. */
export function invalid(option: string, message: string, connectionName?: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { option, connectionName });
}

/** Test runners have globals of their own, of which Node's own errors and patterns are no instances. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** As {@link isError}. */
export function isRegExp(value: unknown): value is RegExp {
  return types.isRegExp(value);
}

/** Throws `DBM_INVALID_OPTION` for what is neither true, false nor left out. */
export function assertFlag(flag: unknown, option: string): void {
  if (flag !== undefined && typeof flag !== 'boolean') throw invalid(option, `${option} must be true or false`);
}

/** Throws `DBM_INVALID_OPTION` for what is neither one of `values` nor left out. */
export function assertOneOf(value: unknown, values: readonly string[], option: string): void {
  if (value === undefined || values.includes(value as string)) return;
  throw invalid(option, `${option} must be ${values.join(' or ')}`);
}

/** A time in milliseconds, endless ones among them. Throws `DBM_INVALID_OPTION` for anything else. */
export function milliseconds(ms: number, option: string): number {
  if (typeof ms === 'number' && ms >= 0) return ms;
  throw invalid(option, `${option} must be a number of milliseconds, 0 or more`);
}

/** A whole number from `least` on. Throws `DBM_INVALID_OPTION` for anything else. */
export function count(value: number, least: number, option: string): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw invalid(
    option,
    `${option} must be a whole number, ${least} or more, not ${typeof value === 'number' ? value : typeof value}`,
  );
}

/** Throws `DBM_INVALID_OPTION` for what is no connection: a manager, a Database, the promise of one. `what` begins the message. */
export function assertConnection(connection: unknown, what: string): void {
  if (typeof (connection as { readonly acquire?: unknown } | null | undefined)?.acquire === 'function') return;
  throw invalid('connection', `${what} a connection, as mgr.get('primary') gives it`);
}
