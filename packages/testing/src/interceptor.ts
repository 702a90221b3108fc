import type { DbManagerError, LeaseSource, Statement, StatementOptions, StatementResult } from '@dbmanager/core';

/** What is to become of a statement. */
export type Verdict =
  /** The database is asked. */
  | undefined
  /** It is answered with this, and the database is not asked. */
  | { readonly result: StatementResult }
  /** It fails with this, and the connection it would have run on is lost. */
  | { readonly lost: DbManagerError };

/** Stands between a database and those who ask it. What is left out goes through. */
export interface Interceptor {
  /** Before a connection is made. A rejection is what connecting fails with. */
  connecting?(connectionName: string, signal: AbortSignal): Promise<void>;
  /** Before the database is asked whether it is well. A rejection says that it is not. */
  probing?(connectionName: string): void;
  /** Before a statement, in the order of the session. A rejection is what it fails with, on a connection that is well. */
  statement?(statement: Statement, options: StatementOptions, source: LeaseSource): Promise<Verdict>;
  /** As a statement is sent on the driver's connection, whoever sends it: true for one that its connection dies of. */
  sending?(sql: string): boolean;
  /** Before COMMIT: whether its answer never comes, and then whether it had been applied. */
  committing?(): { readonly applied: boolean } | undefined;
}
