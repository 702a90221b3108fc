import { Database, type Queryable, type Transaction } from '@dbmanager/database';

/** Where statements of a repository run: a database, or a transaction. */
export type RepositoryScope = Database | Transaction;

/** A transaction of several statements, as far as they need it. */
export type Statements = Pick<Queryable, 'query' | 'execute'>;

/** What a repository is of: a connection, or a transaction on one. */
export interface RepositoryTarget {
  /** Name of the connection. */
  readonly name: string;
  /** The provider's `type`. */
  readonly type: string;
  /** Asked at each call: where transactions are ambient, the one that the calling code is in. */
  scope(): RepositoryScope;
}

/** Runs `work` in a transaction, or in one nested in that which there is. */
export function inTransaction<R>(
  scope: RepositoryScope,
  signal: AbortSignal | undefined,
  work: (tx: Statements) => Promise<R>,
): Promise<R> {
  if (!(scope instanceof Database)) return scope.transaction(work);
  return (signal === undefined ? scope : scope.withContext(signal)).transaction(work);
}
