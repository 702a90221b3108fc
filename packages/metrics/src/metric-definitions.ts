import {
  CLOSE_REASONS,
  type ConnectionState,
  ROW_BUCKETS,
  TRANSACTION_CONFLICTS,
  TRANSACTION_OUTCOMES,
} from '@dbmanager/core';
import {
  histogram,
  type MetricDefinition,
  perType,
  perValue,
  single,
  statementCounter,
  statementDurations,
  statementHistogram,
} from './metric-definition.js';

/** Every state; the compiler holds it against the type. */
const CONNECTION_STATES = Object.keys({
  registered: true,
  connecting: true,
  ready: true,
  degraded: true,
  closing: true,
  closed: true,
  failed: true,
} satisfies Record<ConnectionState, true>);

const flag = (value: boolean): number => (value ? 1 : 0);

/** The names that are fixed by the document dbmanager follows; three of them break Prometheus' naming rules. */
const DOCUMENTED: readonly MetricDefinition[] = [
  perType({ name: 'dbmanager_connections_total', help: 'Configured connections, by type.' }),
  single(
    'gauge',
    'named',
    {
      name: 'dbmanager_connection_status',
      help: 'Whether the database is well as far as known: 1 healthy, 0 not.',
      aggregator: 'min',
    },
    ({ health }) => flag(health.status === 'healthy'),
  ),
  perValue(
    'gauge',
    'named',
    {
      name: 'dbmanager_connection_pool_size',
      help: 'Connections of the pool, by state; open is idle and in_use together.',
      label: 'state',
      values: ['open', 'idle', 'in_use'],
    },
    ({ pool }, state) => ({ open: pool.open, idle: pool.idle, in_use: pool.inUse })[state],
  ),
  single(
    'counter',
    'named',
    { name: 'dbmanager_connection_wait_count', help: 'Acquires that had to wait for a connection.' },
    ({ pool }) => pool.waitCount,
  ),
  single(
    'counter',
    'named',
    { name: 'dbmanager_connection_wait_duration_seconds', help: 'Time spent waiting for connections.' },
    ({ pool }) => pool.waitDurationMs / 1_000,
  ),
  histogram(
    'named',
    { name: 'dbmanager_health_check_duration_seconds', help: 'How long health checks took.' },
    ({ healthChecks }) => healthChecks,
  ),
  perValue(
    'counter',
    'named',
    {
      name: 'dbmanager_reconnect_attempts_total',
      help: 'Attempts to reconnect, by result.',
      label: 'result',
      values: ['success', 'failure'],
    },
    ({ reconnects }, result) => reconnects[result],
  ),
  single(
    'counter',
    'named',
    {
      name: 'dbmanager_connection_lifetime_closed_total',
      help: 'Connections closed because they were older than conn_max_lifetime.',
    },
    ({ pool }) => pool.closedBy.lifetime,
  ),
  single(
    'counter',
    'named',
    {
      name: 'dbmanager_connection_idle_closed_total',
      help: 'Connections closed because they were idle for longer than conn_max_idle_time or one more than max_idle_conns.',
    },
    ({ pool }) => pool.closedBy.idle,
  ),
];

/** OpenTelemetry's pool metrics, in the names its conventions get in Prometheus. */
const OPEN_TELEMETRY: readonly MetricDefinition[] = [
  perValue(
    'gauge',
    'pooled',
    {
      name: 'db_client_connection_count',
      help: 'Connections of the pool, by state.',
      label: 'db_client_connection_state',
      values: ['idle', 'used'],
    },
    ({ pool }, state) => ({ idle: pool.idle, used: pool.inUse })[state],
  ),
  single(
    'gauge',
    'pooled',
    { name: 'db_client_connection_max', help: 'Most connections that may be open.' },
    ({ pool }) => pool.max,
  ),
  single(
    'gauge',
    'pooled',
    { name: 'db_client_connection_idle_max', help: 'Most idle connections that are kept.' },
    ({ pool }) => pool.maxIdle,
  ),
  single(
    'gauge',
    'pooled',
    {
      name: 'db_client_connection_idle_min',
      help: 'Fewest idle connections that are kept: always 0, connections are made on demand.',
    },
    () => 0,
  ),
  single(
    'gauge',
    'pooled',
    { name: 'db_client_connection_pending_requests', help: 'Callers waiting for a connection.' },
    ({ pool }) => pool.pending,
  ),
  single(
    'counter',
    'pooled',
    { name: 'db_client_connection_timeouts_total', help: 'Acquires that got no connection within acquire_timeout.' },
    ({ pool }) => pool.acquireTimeouts,
  ),
  histogram(
    'pooled',
    { name: 'db_client_connection_create_time_seconds', help: 'How long it took to make a connection.' },
    ({ pool }) => pool.createTime,
  ),
  histogram(
    'pooled',
    { name: 'db_client_connection_wait_time_seconds', help: 'How long callers waited for a connection.' },
    ({ pool }) => pool.waitTime,
  ),
  histogram(
    'pooled',
    { name: 'db_client_connection_use_time_seconds', help: 'How long connections were borrowed for.' },
    ({ pool }) => pool.useTime,
  ),
];

/** What both leave out and operators ask for. */
const FURTHER: readonly MetricDefinition[] = [
  perValue(
    'gauge',
    'named',
    {
      name: 'dbmanager_connection_state',
      help: 'Where the connection is in its life: 1 for the state it is in, 0 for the others.',
      label: 'state',
      values: CONNECTION_STATES,
    },
    ({ health }, state) => flag(health.state === state),
  ),
  single(
    'gauge',
    'named',
    {
      name: 'dbmanager_connection_last_success_timestamp_seconds',
      help: 'When the database last answered, in Unix time; no series until it has.',
      aggregator: 'max',
    },
    ({ health }) => (health.lastSuccessAt === undefined ? undefined : health.lastSuccessAt.getTime() / 1_000),
  ),
  single(
    'gauge',
    'named',
    {
      name: 'dbmanager_connection_saturated',
      help: 'Whether every connection is in use and callers wait: busy, which is not down.',
    },
    ({ pool }) => flag(pool.saturated),
  ),
  single(
    'gauge',
    'named',
    { name: 'dbmanager_connection_suspended', help: 'Whether the pool is suspended.' },
    ({ pool }) => flag(pool.suspended),
  ),
  perValue(
    'counter',
    'named',
    {
      name: 'dbmanager_connection_closed_total',
      help: 'Connections closed, by reason.',
      label: 'reason',
      values: CLOSE_REASONS,
    },
    ({ pool }, reason) => pool.closedBy[reason],
  ),
  single(
    'counter',
    'named',
    { name: 'dbmanager_connection_create_failures_total', help: 'Connections that could not be made.' },
    ({ pool }) => pool.createFailures,
  ),
  single(
    'counter',
    'named',
    {
      name: 'dbmanager_connection_acquire_timeouts_total',
      help: 'Acquires that got no connection within acquire_timeout.',
    },
    ({ pool }) => pool.acquireTimeouts,
  ),
  single(
    'counter',
    'named',
    { name: 'dbmanager_connection_leaks_total', help: 'Connections held for longer than leak_detection.' },
    ({ pool }) => pool.leaks,
  ),
  single(
    'counter',
    'named',
    {
      name: 'dbmanager_connection_dirty_releases_total',
      help: 'Connections given back with work left open, such as a transaction.',
    },
    ({ pool }) => pool.dirtyReleases,
  ),
];

/** Transactions begun through dbmanager; those that an ORM begins by itself are not known. */
const TRANSACTIONS: readonly MetricDefinition[] = [
  perValue(
    'counter',
    'named',
    {
      name: 'dbmanager_transactions_total',
      help: 'Attempts at a transaction, by outcome.',
      label: 'outcome',
      values: TRANSACTION_OUTCOMES,
    },
    ({ transactions }, outcome) => transactions.outcomes[outcome],
  ),
  histogram(
    'named',
    { name: 'dbmanager_transaction_duration_seconds', help: 'How long attempts at a transaction took from BEGIN on.' },
    ({ transactions }) => transactions.duration,
  ),
  perValue(
    'counter',
    'named',
    {
      name: 'dbmanager_transaction_retries_total',
      help: 'Transactions repeated because they lost to another, by reason.',
      label: 'reason',
      values: TRANSACTION_CONFLICTS,
    },
    ({ transactions }, reason) => transactions.retries[reason],
  ),
  single(
    'counter',
    'named',
    { name: 'dbmanager_savepoints_total', help: 'Nested transactions begun with transaction() of a transaction.' },
    ({ transactions }) => transactions.savepoints,
  ),
];

/** Statements of every door, by what they do to which table: OpenTelemetry's, and the errors that these leave out. */
const STATEMENTS: readonly MetricDefinition[] = [
  statementDurations({
    name: 'db_client_operation_duration_seconds',
    help: 'How long statements took, failed ones too; waiting for a connection is not in it.',
  }),
  statementHistogram(
    {
      name: 'db_client_response_returned_rows',
      help: 'How many rows statements gave that give rows.',
      bounds: ROW_BUCKETS,
    },
    ({ rows }) => rows,
  ),
  statementCounter(
    { name: 'dbmanager_statement_errors_total', help: 'Statements that failed.' },
    ({ errors }) => errors,
  ),
];

/** Of connections that keep results; no series of others. */
const CACHE: readonly MetricDefinition[] = [
  single(
    'counter',
    'named',
    { name: 'dbmanager_cache_hits_total', help: 'Reads answered with a kept result.' },
    ({ cache }) => cache?.hits,
  ),
  single(
    'counter',
    'named',
    {
      name: 'dbmanager_cache_misses_total',
      help: 'Reads that would have taken a kept result and were answered by the database; several may share one execution.',
    },
    ({ cache }) => cache?.misses,
  ),
  single(
    'counter',
    'named',
    { name: 'dbmanager_cache_evictions_total', help: 'Kept results given up for want of room in memory.' },
    ({ cache }) => cache?.evictions,
  ),
  single(
    'counter',
    'named',
    {
      name: 'dbmanager_cache_errors_total',
      help: 'Times that the cache failed or took too long; the database answered instead.',
    },
    ({ cache }) => cache?.errors,
  ),
  single(
    'gauge',
    'named',
    { name: 'dbmanager_cache_entries', help: 'Results kept in memory; no series where Redis keeps them.' },
    ({ cache }) => cache?.held?.entries,
  ),
  single(
    'gauge',
    'named',
    { name: 'dbmanager_cache_bytes', help: 'What they take of memory, about; no series where Redis keeps them.' },
    ({ cache }) => cache?.held?.bytes,
  ),
];

/** Every metric family of dbmanager, in the order of a scrape. */
export const METRIC_DEFINITIONS: readonly MetricDefinition[] = [
  ...DOCUMENTED,
  ...OPEN_TELEMETRY,
  ...FURTHER,
  ...TRANSACTIONS,
  ...STATEMENTS,
  ...CACHE,
];
