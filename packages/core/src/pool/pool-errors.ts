import { formatDuration } from '../duration.js';
import { DbManagerError } from '../errors.js';

/** What the message of an acquire timeout tells of the pool. */
export interface PoolSituation {
  readonly max: number;
  readonly open: number;
  readonly idle: number;
  readonly inUse: number;
  readonly connecting: number;
  readonly pending: number;
  readonly oldestBorrowMs: number;
}

/** Nobody got a connection in time: tells a pool that is full from a server that is down. */
export function acquireTimeout(
  name: string,
  waitedMs: number,
  pool: PoolSituation,
  lastConnectError: Error | undefined,
): DbManagerError {
  const full = pool.inUse >= pool.max;
  const state = [
    `open ${pool.open} of ${pool.max}`,
    `in use ${pool.inUse}`,
    `idle ${pool.idle}`,
    `connecting ${pool.connecting}`,
    `others waiting ${pool.pending}`,
    `oldest borrow ${formatDuration(pool.oldestBorrowMs)}`,
  ].join(', ');
  // The message begins with the connection's name already.
  const reason = lastConnectError instanceof DbManagerError ? lastConnectError.detail : lastConnectError?.message;
  const why = reason === undefined ? '' : `; last connect failure: ${reason}`;
  return new DbManagerError(
    'DBM_ACQUIRE_TIMEOUT',
    `no connection within ${formatDuration(waitedMs)} (${state})${why}; ` +
      (full ? 'raise max_open_conns, or hold connections for a shorter time' : 'see acquire_timeout'),
    {
      connectionName: name,
      option: full ? 'max_open_conns' : 'acquire_timeout',
      ...(lastConnectError === undefined ? {} : { cause: lastConnectError }),
    },
  );
}

/** The queue is as long as it may be. */
export function queueFull(name: string, maxPending: number): DbManagerError {
  return new DbManagerError('DBM_QUEUE_FULL', `${maxPending} callers wait for a connection already (max_pending)`, {
    connectionName: name,
    option: 'max_pending',
  });
}

/** A holder of a connection would wait for another one that may never come. */
export function poolDeadlock(name: string, max: number): DbManagerError {
  return new DbManagerError(
    'DBM_POOL_DEADLOCK',
    `a transaction asked for a second connection while all ${max} are in use, which could wait for itself; ` +
      'use the handle of the transaction, or raise max_open_conns',
    { connectionName: name, option: 'max_open_conns' },
  );
}

/** The pool takes no new work. */
export function poolClosed(name: string): DbManagerError {
  return new DbManagerError('DBM_CLOSED', 'the pool is closed', { connectionName: name });
}

/** A lease was used after it had been given back. */
export function leaseReleased(name: string, leaseId: number): DbManagerError {
  return new DbManagerError('DBM_LEASE_RELEASED', `lease ${leaseId} was used after it had been released`, {
    connectionName: name,
  });
}

/** One attempt to connect ran out of time. */
export function connectTimeout(name: string, limitMs: number): DbManagerError {
  return new DbManagerError('DBM_CONNECT_TIMEOUT', `no answer within connect_timeout (${formatDuration(limitMs)})`, {
    connectionName: name,
    option: 'connect_timeout',
  });
}

/** A connection did not answer a check of its health or of its cleaning. */
export function connectionUnresponsive(name: string, doing: string, limitMs: number, option?: string): DbManagerError {
  return new DbManagerError('DBM_CONNECTION_LOST', `${doing} had no answer within ${formatDuration(limitMs)}`, {
    connectionName: name,
    option,
  });
}

/** An option of a call is not a number of milliseconds. */
export function invalidTimeout(name: string, value: unknown): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', `timeoutMs must be 0 or more milliseconds, not ${String(value)}`, {
    connectionName: name,
    option: 'timeoutMs',
  });
}

/** `thrown` as an Error: a factory of somebody else may reject with anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
