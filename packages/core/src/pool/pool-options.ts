import { defineOptions, type OptionsOf } from '../option-table.js';

/** Keys of the pool; each may stand globally and on a connection. */
export const POOL_OPTIONS = defineOptions({
  max_open_conns: {
    kind: 'integer',
    default: 25,
    min: 1,
    scope: 'both',
    description: 'Most connections open at a time.',
  },
  max_idle_conns: {
    kind: 'integer',
    default: 5,
    min: 0,
    scope: 'both',
    zero: 'every connection is closed when it is given back',
    description: 'Most idle connections kept.',
  },
  conn_max_lifetime: {
    kind: 'duration',
    default: '30m',
    scope: 'both',
    zero: 'no limit',
    description: 'Longest life of a connection, less a random 2.5 %; checked at release and before hand-out.',
  },
  conn_max_idle_time: {
    kind: 'duration',
    default: '5m',
    scope: 'both',
    zero: 'no limit',
    description: 'Longest time a connection stays idle.',
  },
  acquire_timeout: {
    kind: 'duration',
    default: '30s',
    min: '250ms',
    scope: 'both',
    description: 'How long a caller waits for a connection: queueing, connecting and validating together.',
  },
  connect_timeout: {
    kind: 'duration',
    default: '10s',
    min: '1ms',
    scope: 'both',
    description: 'How long one attempt to connect may take.',
  },
  max_connecting: {
    kind: 'integer',
    default: 2,
    min: 1,
    scope: 'both',
    description: 'Most connects under way at a time.',
  },
  validate_after: {
    kind: 'duration',
    default: '500ms',
    scope: 'both',
    zero: 'validate before every hand-out',
    description: 'A connection idle for longer is validated before it is handed out.',
  },
  validation_timeout: {
    kind: 'duration',
    default: '5s',
    min: '1ms',
    scope: 'both',
    description: 'How long a validation may take before the connection counts as dead.',
  },
  keepalive: {
    kind: 'duration',
    default: '2m',
    min: '1s',
    scope: 'both',
    zero: 'off',
    description: 'Idle connections are pinged this often, less a random 10 %.',
  },
  leak_detection: {
    kind: 'duration',
    default: '0',
    min: '2s',
    scope: 'both',
    zero: 'off',
    description: 'A connection held for longer is reported with the stack of its borrower.',
  },
  drain_timeout: {
    kind: 'duration',
    default: '10s',
    scope: 'both',
    zero: 'do not wait',
    description: 'How long `close()` waits for connections in use.',
  },
  max_pending: {
    kind: 'integer',
    default: 10_000,
    min: 1,
    scope: 'both',
    description: 'Most callers waiting for a connection, also while suspended.',
  },
  retry_delay: {
    kind: 'duration',
    default: '1s',
    min: '1ms',
    scope: 'both',
    description: 'Delay before the first retry of a failed connect; doubled each time.',
  },
  retry_max_delay: {
    kind: 'duration',
    default: '10s',
    min: '1ms',
    scope: 'both',
    description: 'Longest delay between retries.',
  },
});

/** Resolved options of a pool. */
export type PoolOptions = OptionsOf<typeof POOL_OPTIONS>;
