/** Where a connection is in its life. */
export type ConnectionState =
  /** Known, nothing opened yet (or `startup: lazy`). */
  | 'registered'
  /** Being opened for the first time, or trying to. */
  | 'connecting'
  /** Open and well as far as known. */
  | 'ready'
  /** Opened before, failing now; reconnects by itself. */
  | 'degraded'
  /** Refusing new work, draining. */
  | 'closing'
  | 'closed'
  /** `connect()` gave up. A later `connect()` may try again. */
  | 'failed';

/** What the last health check found: the documents' states. */
export type HealthStatus =
  /** Not checked yet. */
  | 'unknown'
  | 'healthy'
  /** The last check failed. */
  | 'unhealthy'
  /** Not open: never connected, closed, or given up. */
  | 'disconnected';

/** What is known of one connection's health. */
export interface ConnectionHealth {
  readonly name: string;
  readonly type: string;
  readonly startup: 'required' | 'optional' | 'lazy';
  readonly state: ConnectionState;
  readonly status: HealthStatus;
  /** All connections are in use and callers wait: busy, which is not down. */
  readonly saturated: boolean;
  readonly suspended: boolean;
  /** When the last check ended. */
  readonly checkedAt: Date | undefined;
  /** When the database last answered. */
  readonly lastSuccessAt: Date | undefined;
  /** How long the last check took, in milliseconds. */
  readonly latencyMs: number | undefined;
  /** Checks and attempts to connect, of the start and of reconnecting, that failed since the database last answered. */
  readonly consecutiveFailures: number;
  /** Why it is not healthy; no secrets. */
  readonly error: Error | undefined;
}
