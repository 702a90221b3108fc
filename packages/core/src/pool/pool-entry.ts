import type { BoundedCall } from './bounded-call.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { PoolLease } from './pool-lease.js';

/** One connection of a pool, from its making to its end. The pool alone writes to it. */
export class PoolEntry<C> {
  readonly id: number;
  readonly connection: C;
  /** The factory that made it and will close it; the pool's may have been replaced since. */
  readonly factory: ConnectionFactory<C>;
  readonly createdAt: number;
  /** How long it took to make. */
  readonly connectMs: number;
  /** When its life ends: `conn_max_lifetime` less its share of jitter. */
  readonly expiresAt: number;
  /** Time between two keepalive pings of this connection, jitter included. */
  readonly keepaliveMs: number;
  /** Older than the pool's: not to be handed out any more. */
  generation = 0;
  /** When it was last given back, or made. */
  idleSince: number;
  /** When it last proved alive: given back, validated or made. */
  provenAt: number;
  /** It may be handed out without a look until then. */
  freshUntil = 0;
  /** Validation, ping or cleaning under way; nobody else may have it meanwhile. */
  check: BoundedCall<void> | undefined;
  /** Why it is dead, once it is. */
  deathError: Error | undefined;
  /** The lease it is out on. */
  lease: PoolLease<C> | undefined;
  borrowedAt = 0;
  borrowStack: string | undefined;
  lastStatement: string | undefined;
  leakReported = false;

  constructor(made: {
    id: number;
    connection: C;
    factory: ConnectionFactory<C>;
    createdAt: number;
    connectMs: number;
    expiresAt: number;
    keepaliveMs: number;
  }) {
    this.id = made.id;
    this.connection = made.connection;
    this.factory = made.factory;
    this.createdAt = made.createdAt;
    this.connectMs = made.connectMs;
    this.expiresAt = made.expiresAt;
    this.keepaliveMs = made.keepaliveMs;
    this.idleSince = made.createdAt;
    this.provenAt = made.createdAt;
  }
}
