import { KnownOptions } from '@dbmanager/core';
import type { QueryOptions } from '@dbmanager/database';
import type { ColumnDeclaration } from './column-kind.js';
import type { Order } from './filter.js';
import type { DeletedRows } from './table.js';

/** The table of a repository, and what it is made of. */
export interface RepositoryOptions<T extends object> {
  /** `users`, or `billing.invoices` with its schema. */
  readonly table: string;
  /**
   * Every column that the repository knows, with its kind, and a `?` behind it where it may be NULL: only these get into
   * statements, and only these are read.
   */
  readonly columns: { readonly [K in keyof T]-?: ColumnDeclaration<T[K]> };
  /** The primary key, of one column. Default: `id`. */
  readonly id?: (keyof T & string) | undefined;
  /** A whole number that counts the updates of a row, for optimistic locking. Default: none. */
  readonly version?: (keyof T & string) | undefined;
  /** When a row was deleted; NULL while it was not. Default: none, and rows are really deleted. */
  readonly deletedAt?: (keyof T & string) | undefined;
  /** The time that is written as `deletedAt`. Default: the machine's. */
  readonly now?: (() => Date) | undefined;
}

/** Options of one call: what ends it. */
export type RepositoryCallOptions = Pick<QueryOptions, 'signal' | 'timeout'>;

/** Options of a call that finds rows. */
export interface FindOptions extends RepositoryCallOptions {
  /** Rows that were deleted softly: left out, found too, or found alone. Default: `exclude`. */
  readonly deleted?: DeletedRows | undefined;
}

/** Options of a call that gives rows in an order. */
export interface ListOptions<T> extends FindOptions {
  /** Default: by the key. The key comes last in any case, so that the order is always the same. */
  readonly order?: Order<T> | undefined;
  /** The most rows to give. Default: all of them. */
  readonly limit?: number | undefined;
  /** Rows to leave out first. Pages by a cursor cost less, and miss none. Default: 0. */
  readonly offset?: number | undefined;
}

/** Options of a page. */
export interface PageOptions<T> extends Omit<ListOptions<T>, 'offset'> {
  /** Rows of a page. Default: 50. */
  readonly limit?: number | undefined;
  /** Gives the rows behind this cursor. Only one of `after` and `before` can be given. */
  readonly after?: string | undefined;
  /** Gives the rows ahead of this cursor, the nearest ones. */
  readonly before?: string | undefined;
}

/** Some rows of an order. */
export interface Page<T> {
  readonly rows: T[];
  /** What `after` takes for the page that follows; undefined when there was none. */
  readonly next: string | undefined;
  /** What `before` takes for the page ahead; undefined when there is none. */
  readonly previous: string | undefined;
}

/** Options of a deletion by key. */
export interface DeleteOptions extends RepositoryCallOptions {
  /** Deletes only this version of the row. */
  readonly version?: number | bigint | undefined;
  /** Takes the row away though the table has a column for when it was deleted. Default: false. */
  readonly hard?: boolean | undefined;
}

/** Options of an upsert. */
export interface UpsertOptions<T> extends RepositoryCallOptions {
  /** The columns of the unique constraint by which an existing row is found. Default: the key. */
  readonly on?: readonly (keyof T & string)[] | undefined;
  /** The columns that an existing row takes the new values of. Default: all that are given but the key and `on`. */
  readonly update?: readonly (keyof T & string)[] | undefined;
}

/** Options of a deletion of all rows that fit. */
export type DeleteManyOptions = FindOptions & Pick<DeleteOptions, 'hard'>;

const CALL = { signal: true, timeout: true } as const;
const FIND = { ...CALL, deleted: true } as const;
const LIST = { ...FIND, order: true, offset: true } as const;
const A_CALL = 'a call of a repository';

/** What there is to be declared of a table. */
export const REPOSITORY_OPTIONS = new KnownOptions<RepositoryOptions<object>>('a repository', {
  table: true,
  columns: true,
  id: true,
  version: true,
  deletedAt: true,
  now: true,
});

/** The options of calls, by what they are for. */
export const CALL_OPTIONS = {
  write: new KnownOptions<RepositoryCallOptions>(A_CALL, CALL),
  find: new KnownOptions<FindOptions>('a call that finds rows', FIND),
  findOne: new KnownOptions<Omit<ListOptions<object>, 'limit'>>('findOne()', LIST),
  list: new KnownOptions<ListOptions<object>>('list()', { ...LIST, limit: true }),
  page: new KnownOptions<PageOptions<object>>('page()', {
    ...FIND,
    order: true,
    limit: true,
    after: true,
    before: true,
  }),
  delete: new KnownOptions<DeleteOptions>('delete()', { ...CALL, version: true, hard: true }),
  deleteWhere: new KnownOptions<DeleteManyOptions>('deleteWhere()', { ...FIND, hard: true }),
  upsert: new KnownOptions<UpsertOptions<object>>('upsert()', { ...CALL, on: true, update: true }),
};
