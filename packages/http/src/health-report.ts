import {
  type ConnectionHealth,
  type ConnectionStats,
  type ErrorCode,
  isDbManagerError,
  type ManagerStats,
} from '@dbmanager/core';

/** What is read: a manager. Reading it must ask no database. */
export interface HealthSource {
  stats(): ManagerStats;
}

/**
 * One connection as operators see it, in JSON. It names no host and holds no text of an error: only the code, which
 * docs/errors.md explains.
 */
export interface ConnectionReport {
  readonly name: string;
  readonly type: string;
  readonly startup: ConnectionHealth['startup'];
  readonly state: ConnectionHealth['state'];
  readonly status: ConnectionHealth['status'];
  readonly saturated: boolean;
  readonly suspended: boolean;
  /** How long the last check took, in milliseconds; null before the first. */
  readonly latencyMs: number | null;
  /** ISO 8601; null before the first check. */
  readonly checkedAt: string | null;
  /** ISO 8601; null until the database has answered. */
  readonly lastSuccessAt: string | null;
  readonly consecutiveFailures: number;
  /** Why it is not healthy; null when it is. */
  readonly errorCode: ErrorCode | 'UNKNOWN' | null;
  readonly pool: {
    readonly max: number;
    readonly open: number;
    readonly idle: number;
    readonly inUse: number;
    readonly pending: number;
  };
}

/** All connections, in JSON. */
export interface HealthReport {
  /** `unhealthy`: one that the service needs is down. `degraded`: only others are. */
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  readonly connections: readonly ConnectionReport[];
}

/** Reports on every connection, in the order of the configuration. */
export function healthReport({ connections }: ManagerStats): HealthReport {
  const all = Object.values(connections);
  const status = all.some(({ health }) => blocksReadiness(health))
    ? 'unhealthy'
    : all.some(({ health }) => isDown(health))
      ? 'degraded'
      : 'healthy';
  return { status, connections: all.map(connectionReport) };
}

/**
 * True when the service is not ready because of this connection: a required one that is not up, or a lazy one that has
 * been opened and is down. An optional one never is, nor a lazy one that nobody has used yet.
 */
export function blocksReadiness(health: ConnectionHealth): boolean {
  switch (health.startup) {
    case 'required':
      return !isUp(health);
    case 'lazy':
      return isDown(health);
    case 'optional':
      return false;
  }
}

/** The code of `error`; of its cause where it only says that a check failed. `UNKNOWN` for what is not dbmanager's own. */
export function reasonCode(error: unknown): ErrorCode | 'UNKNOWN' {
  if (!isDbManagerError(error)) return 'UNKNOWN';
  if (error.code === 'DBM_HEALTH_CHECK_FAILED' && isDbManagerError(error.cause)) return error.cause.code;
  return error.code;
}

/** Busy or suspended is not down. */
function isUp({ state, status }: ConnectionHealth): boolean {
  return state === 'ready' && (status === 'healthy' || status === 'unknown');
}

/** Not up, and not merely waiting for its first use. */
function isDown(health: ConnectionHealth): boolean {
  const unused = health.startup === 'lazy' && (health.state === 'registered' || health.state === 'connecting');
  return !unused && !isUp(health);
}

function connectionReport({ health, pool }: ConnectionStats): ConnectionReport {
  const { name, type, startup, state, status, saturated, suspended, consecutiveFailures } = health;
  return {
    name,
    type,
    startup,
    state,
    status,
    saturated,
    suspended,
    latencyMs: health.latencyMs ?? null,
    checkedAt: health.checkedAt?.toISOString() ?? null,
    lastSuccessAt: health.lastSuccessAt?.toISOString() ?? null,
    consecutiveFailures,
    errorCode: health.error === undefined ? null : reasonCode(health.error),
    pool: { max: pool.max, open: pool.open, idle: pool.idle, inUse: pool.inUse, pending: pool.pending },
  };
}
