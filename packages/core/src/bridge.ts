import type { Engine, LeaseSource } from './provider.js';

/** What a bridge builds on: a named connection and its engine. */
export interface BridgeTarget<C = unknown> extends LeaseSource<C> {
  /** The provider's `type`. */
  readonly type: string;
  /** The engine; capabilities tell what it can do. Available once the connection has been opened, lazily or not. */
  readonly engine: Engine<C>;
  /** Fires when the manager closes, before pools drain: forget cached handles. */
  readonly closing: AbortSignal;
}

/**
 * Puts one ORM on the shared pool. Published by a bridge package as a constant; loads the ORM only when opened. The
 * handle it returns is an ORM's own object, whose end, close or destroy only detaches.
 */
export interface Bridge<Handle, Options extends object = object> {
  /** As in `default_orm`: `knex`. */
  readonly name: string;
  /** Provider types it can drive. */
  readonly types: readonly string[];
  /** Builds the handle. The manager keeps it: the same connection and options name give the same handle. */
  open(target: BridgeTarget, options?: Options): Handle;
}
