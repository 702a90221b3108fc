import type { StoreDialect } from '../store-dialect.js';
import type { ColumnKind } from '../store-table.js';
import { STANDARD_DIALECT } from './standard-dialect.js';

const TYPES: Readonly<Record<ColumnKind, string>> = {
  id: 'integer primary key',
  key: 'text',
  text: 'text',
  json: 'text',
  time: 'integer',
  whole: 'integer',
  number: 'real',
  flag: 'boolean',
};

export const SQLITE_DIALECT: StoreDialect = { ...STANDARD_DIALECT, columnType: ({ kind }) => TYPES[kind] };
