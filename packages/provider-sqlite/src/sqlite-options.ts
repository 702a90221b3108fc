import { defineOptions, type OptionsOf } from '@dbmanager/core';

/** The YAML keys that `type: sqlite` adds to a connection. */
export const SQLITE_OPTIONS = defineOptions({
  filepath: {
    kind: 'path',
    required: true,
    literals: [':memory:'],
    description:
      'The database file. It is created when missing, its folder never is. `:memory:` is one database in memory that all users of the connection share.',
    examples: ['./data/app.db', ':memory:'],
  },
  must_exist: {
    kind: 'boolean',
    default: false,
    description: 'Fail when the file is missing instead of creating it at the first open.',
  },
  read_only: {
    kind: 'boolean',
    default: false,
    description: 'Open the file for reading only; every write is refused.',
  },
  busy_timeout: {
    kind: 'duration',
    default: '5s',
    zero: 'do not wait',
    description:
      'How long a statement waits for a lock that another process holds. Statements of sessions and ORMs wait without blocking the event loop.',
  },
  journal_mode: {
    kind: 'enum',
    values: ['wal', 'delete', 'truncate', 'persist', 'memory', 'off'],
    default: 'wal',
    description: 'Only with `wal` can reads run beside a write; any other mode has one connection for everything.',
  },
  synchronous: {
    kind: 'enum',
    values: ['off', 'normal', 'full', 'extra'],
    default: 'normal',
    description:
      'When SQLite waits for the disk. With `wal`, `normal` cannot corrupt the file but may lose the last commits at a power cut; `full` may not.',
  },
  foreign_keys: {
    kind: 'boolean',
    default: true,
    description: 'Enforce foreign keys.',
  },
  cache_size_kib: {
    kind: 'integer',
    default: 16_000,
    min: 0,
    description: 'Page cache of each connection, in KiB.',
  },
  statement_cache_size: {
    kind: 'integer',
    default: 200,
    min: 0,
    zero: 'statements are prepared each time',
    description: 'Most prepared statements kept on each connection, least recently used dropped first.',
  },
  pragmas: {
    kind: 'string-map',
    default: {},
    description: 'Further pragmas, set on every connection as it opens.',
    examples: [{ mmap_size: '268435456', temp_store: 'memory' }],
  },
});

/** Resolved options of a `type: sqlite` connection. */
export type SqliteOptions = OptionsOf<typeof SQLITE_OPTIONS>;
