export type { ColumnDeclaration, ColumnKind } from './column-kind.js';
export { type Filter, type FilterOperators, likeText, type Order } from './filter.js';
export { createRepository, Repository, type RowId, type RowValues } from './repository.js';
export type {
  DeleteManyOptions,
  DeleteOptions,
  FindOptions,
  ListOptions,
  Page,
  PageOptions,
  RepositoryCallOptions,
  RepositoryOptions,
  UpsertOptions,
} from './repository-options.js';
export type { RepositoryScope, RepositoryTarget } from './repository-scope.js';
export type { DeletedRows } from './table.js';
