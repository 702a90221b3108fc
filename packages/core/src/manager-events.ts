import type { ConnectionHealth, ConnectionState } from './health/connection-health.js';
import type { PoolEvents } from './pool/pool-events.js';

/** One event of a pool, as a pair of its name and its payload. */
export type PoolEvent = {
  [E in keyof PoolEvents]: { readonly event: E; readonly payload: PoolEvents[E] };
}[keyof PoolEvents];

/** What a manager tells; `connection` is the name. */
export interface ManagerEvents {
  state: { readonly connection: string; readonly from: ConnectionState; readonly to: ConnectionState };
  /** After each health check. */
  health: ConnectionHealth;
  reconnect: {
    readonly connection: string;
    /** 1 for the first attempt since the database was last well. */
    readonly attempt: number;
    readonly result: 'success' | 'failure';
    readonly error?: Error;
    /** When the next attempt follows; absent after a success and for a reconnect by hand. */
    readonly nextDelayMs?: number;
  };
  pool: { readonly connection: string } & PoolEvent;
  added: { readonly connection: string };
  removed: { readonly connection: string };
  /** `getDefault` answers another connection from now on. */
  default: { readonly connection: string };
  /** `close()` has begun. */
  closing: Record<never, never>;
  closed: Record<never, never>;
}
