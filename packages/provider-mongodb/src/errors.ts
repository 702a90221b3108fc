import { DbManagerError, type ErrorVerdict, isDbManagerError } from '@dbmanager/core';
import { isError, isTlsError } from '@dbmanager/provider-server';

/** The server is no primary, or not yet: the driver looks for the one that is. */
const NOT_PRIMARY = new Set([
  189, // PrimarySteppedDown
  10107, // NotWritablePrimary
  13435, // NotPrimaryNoSecondaryOk
]);
/** The server is shutting down, or recovering. */
const NOT_READY = new Set([
  91, // ShutdownInProgress
  11600, // InterruptedAtShutdown
  11602, // InterruptedDueToReplStateChange
  13436, // NotPrimaryOrSecondary
]);
const AUTH = new Set([
  8000, // AtlasError
  11, // UserNotFound
  13, // Unauthorized
  18, // AuthenticationFailed
  334, // MechanismUnavailable
]);
/** IllegalOperation, and what FerretDB says of a field that it does not know. */
const NO_TRANSACTIONS: Readonly<Record<number, RegExp>> = {
  20: /Transaction numbers|does not support retryable writes/,
  9: /autocommit|startTransaction|txnNumber/,
};

/** What is looked at in errors of the driver, of whatever copy. */
interface DriverError extends Error {
  readonly code?: number | string;
  readonly errorLabels?: readonly string[];
  /** Of a server selection: what is known of the servers. */
  readonly reason?: { readonly servers?: ReadonlyMap<string, { readonly error?: Error | null }> };
}

/** True for an error of the driver with that label. */
export function hasLabel(error: unknown, label: string): boolean {
  return isError(error) && (error as DriverError).errorLabels?.includes(label) === true;
}

/** True for an error which says that the server has no transactions. */
export function saysNoTransactions(error: unknown): boolean {
  return isError(error) && (NO_TRANSACTIONS[serverCode(error)]?.test(error.message) ?? false);
}

/** True for an error of the network, as opposed to one that a server has answered. */
function isNetworkError(error: unknown): boolean {
  return isError(error) && /^Mongo(?:Network|Pool)|^PoolCleared/.test(error.name);
}

/** What an error says about the connection it came from; the driver has closed what is of no use by itself. */
export function judge(error: unknown): ErrorVerdict {
  if (error instanceof DbManagerError) return error.cause === undefined ? 'harmless' : judge(error.cause);
  if (NOT_PRIMARY.has(serverCode(error))) return 'failover';
  return isNetworkError(error) ? 'fatal' : 'harmless';
}

/** The error of ours for a deployment that does not answer; those of ours pass through. */
export function connectError(error: unknown, connectionName: string): DbManagerError {
  if (isDbManagerError(error)) return error;
  const reason = reasonOf(error);
  const message = `cannot connect: ${isError(reason) ? reason.message : String(reason)}`;
  return new DbManagerError(connectCode(reason), message, { cause: error, connectionName });
}

function connectCode(error: unknown) {
  const code = serverCode(error);
  if (AUTH.has(code)) return 'DBM_AUTH_FAILED';
  if (NOT_PRIMARY.has(code) || NOT_READY.has(code)) return 'DBM_SERVER_STARTING';
  if (causes(error).some(isTlsError)) return 'DBM_TLS_FAILED';
  if (isError(error) && error.name === 'MongoNetworkTimeoutError') return 'DBM_CONNECT_TIMEOUT';
  return 'DBM_CONNECT_FAILED';
}

/** Of a server selection that found nothing, what the first server has failed with. */
function reasonOf(error: unknown): unknown {
  if (!isError(error)) return error;
  for (const server of (error as DriverError).reason?.servers?.values() ?? []) if (server.error) return server.error;
  return error;
}

/** The server's number of an error; 0 when it has none. */
function serverCode(error: unknown): number {
  const { code } = (isError(error) ? error : {}) as Partial<DriverError>;
  return typeof code === 'number' ? code : 0;
}

function causes(error: unknown): unknown[] {
  return isError(error) ? [error, ...causes(error.cause)] : [];
}
