/** What the pool hands to a connect. */
export interface CreateContext {
  /** Aborted at `connect_timeout`, or when nobody needs the connection any more: stop and free the socket. */
  readonly signal: AbortSignal;
  /**
   * Call it when the connection dies by itself, in use or idle, as often as you like. The factory listens for errors of
   * the connection for its whole life, so that none ends the process.
   */
  lost(error: Error): void;
}

/** What an error says about the connection it came from. */
export type ErrorVerdict =
  /** The connection is fine. */
  | 'harmless'
  /** The connection is unusable: discard it. */
  | 'fatal'
  /** The server is not what it was (a primary turned read-only): discard the connection and start a new generation. */
  | 'failover';

/**
 * How the pool makes and keeps connections of one kind. It is all the pool knows of a database. Optional members may be
 * left out by an engine that has no use for them; each says what the pool then does.
 */
export interface ConnectionFactory<C> {
  /**
   * Opens a connection. Rejects with a `DbManagerError`; `retryable` tells the pool whether waiting can mend it. When
   * `signal` aborts it must free whatever it had opened and reject.
   */
  create(context: CreateContext): Promise<C>;
  /** Rejects when the connection is dead. Left out: connections are never validated. */
  validate?(connection: C, signal: AbortSignal): Promise<void>;
  /** True when the borrower left work open (a transaction). Synchronous, from driver state. Left out: never. */
  isDirty?(connection: C): boolean;
  /** Undoes what `isDirty` reports. Rejects when it cannot; the pool then discards the connection. */
  clean?(connection: C, signal: AbortSignal): Promise<void>;
  /**
   * Closes the connection: politely while `signal` is not aborted, at once when it is. Must settle soon after the abort.
   * Called exactly once for each created connection. A rejection is logged and otherwise ignored.
   */
  destroy(connection: C, signal: AbortSignal): Promise<void>;
  /** Left out: every error is harmless, and only `lost` ends a connection. */
  judge?(error: unknown): ErrorVerdict;
}
