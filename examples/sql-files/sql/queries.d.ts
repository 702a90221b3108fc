// Written by `dbmanager sql types`; do not edit.
export {};

declare module 'dbmanager' {
  interface SqlQueries {
    'books/add': { author: unknown; id: unknown; title: unknown };
    'books/by-author': { author: unknown };
    'books/create-table': Record<never, never>;
    'books/search': { pattern: unknown };
  }
}
