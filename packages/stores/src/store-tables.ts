import type { StoreColumn, StoreTable } from './store-table.js';

/** Longest text of a key, in UTF-16 code units: SQL Server and InnoDB index no more than that twice. */
export const MAX_KEY_LENGTH = 255;
/** Of names of plugins, which are one half of keys of two columns. */
export const MAX_PLUGIN_NAME_LENGTH = 128;
/** A SHA-256 digest in hexadecimal. */
const DIGEST_LENGTH = 64;

const key = (length = MAX_KEY_LENGTH) => ({ kind: 'key', length }) as const;
const id = { kind: 'id' } as const;
const text = { kind: 'text' } as const;
const json = { kind: 'json' } as const;
const time = { kind: 'time' } as const;
const whole = { kind: 'whole' } as const;
const number = { kind: 'number' } as const;
const flag = { kind: 'flag' } as const;

function optional(column: StoreColumn): StoreColumn {
  return { ...column, optional: true };
}

function table<C extends string>(definition: StoreTable<C>): StoreTable<C> {
  return definition;
}

export const SESSIONS = table({
  name: 'sessions',
  columns: {
    id: key(),
    user_id: optional(key()),
    tenant_id: optional(key()),
    data: json,
    expires_at: time,
    created_at: time,
    updated_at: time,
    ip_address: optional(text),
    user_agent: optional(text),
  },
  primaryKey: ['id'],
  indexes: [['expires_at'], ['user_id']],
});

/** Never the tokens: what is read out of it opens nothing. */
export const ACCESS_TOKENS = table({
  name: 'access_tokens',
  columns: {
    token_digest: key(DIGEST_LENGTH),
    user_id: optional(key()),
    tenant_id: optional(key()),
    scopes: json,
    expires_at: time,
    created_at: time,
  },
  primaryKey: ['token_digest'],
  indexes: [['expires_at'], ['user_id']],
});

export const TENANTS = table({
  name: 'tenants',
  columns: {
    id: key(),
    name: text,
    config: json,
    is_active: flag,
    created_at: time,
    updated_at: time,
    max_users: whole,
    max_storage: whole,
    max_requests: whole,
  },
  primaryKey: ['id'],
});

/** The hosts of tenants, in the order in which callers gave them: as its key, a host is one tenant's, on every engine. */
export const TENANT_HOSTS = table({
  name: 'tenant_hosts',
  columns: {
    host: key(),
    tenant_id: { ...key(), references: { table: 'tenants', column: 'id', onDelete: 'cascade' } },
    place: whole,
  },
  primaryKey: ['host'],
  indexes: [['tenant_id']],
});

export const WORKLOAD_METRICS = table({
  name: 'workload_metrics',
  columns: {
    id,
    recorded_at: time,
    tenant_id: key(),
    user_id: optional(key()),
    request_id: optional(key()),
    duration_ms: whole,
    context_size: whole,
    memory_usage: whole,
    cpu_usage: number,
    request_path: text,
    http_method: text,
    status_code: whole,
    response_size: whole,
    error_message: optional(text),
  },
  primaryKey: ['id'],
  indexes: [['tenant_id', 'recorded_at'], ['recorded_at']],
});

/** One row for each key: its window, from `window_start` until before `expires_at`, and what was counted in it. */
export const RATE_LIMITS = table({
  name: 'rate_limits',
  columns: { rate_key: key(), window_start: time, expires_at: time, hits: whole },
  primaryKey: ['rate_key'],
  indexes: [['expires_at']],
});

/** Which process does what only one is to do, and until when. */
export const STORE_LEASES = table({
  name: 'store_leases',
  columns: { name: key(), owner: key(), expires_at: time },
  primaryKey: ['name'],
});

const pluginName = {
  ...key(MAX_PLUGIN_NAME_LENGTH),
  references: { table: 'plugins', column: 'name', onDelete: 'cascade' },
} as const;

export const PLUGINS = table({
  name: 'plugins',
  columns: {
    name: key(MAX_PLUGIN_NAME_LENGTH),
    version: text,
    description: optional(text),
    author: optional(text),
    enabled: flag,
    loaded_at: optional(time),
    config: optional(json),
    permissions: optional(json),
    status: optional(text),
    error_count: whole,
    last_error: optional(text),
    last_error_at: optional(time),
  },
  primaryKey: ['name'],
});

export const PLUGIN_HOOKS = table({
  name: 'plugin_hooks',
  columns: {
    id,
    plugin_name: pluginName,
    hook_type: key(),
    priority: whole,
    execution_count: whole,
    total_duration_ms: whole,
    error_count: whole,
  },
  primaryKey: ['id'],
  indexes: [['plugin_name']],
});

export const PLUGIN_EVENTS = table({
  name: 'plugin_events',
  columns: {
    id,
    event_name: key(),
    publisher_plugin: pluginName,
    // Only one of the two ways to the same row may cascade: SQL Server refuses a table that has both.
    subscriber_plugin: { ...pluginName, references: { ...pluginName.references, onDelete: 'no action' } },
    created_at: time,
  },
  primaryKey: ['id'],
  indexes: [['event_name'], ['publisher_plugin'], ['subscriber_plugin']],
});

export const PLUGIN_STORAGE = table({
  name: 'plugin_storage',
  columns: { plugin_name: pluginName, storage_key: key(), storage_value: json, created_at: time, updated_at: time },
  primaryKey: ['plugin_name', 'storage_key'],
});

export const PLUGIN_METRICS = table({
  name: 'plugin_metrics',
  columns: {
    id,
    plugin_name: pluginName,
    metric_name: key(),
    metric_value: number,
    tags: optional(json),
    recorded_at: time,
  },
  primaryKey: ['id'],
  indexes: [['plugin_name', 'recorded_at']],
});

/** The tables of plugins, each after those it refers to. */
export const PLUGIN_TABLES: readonly StoreTable[] = [
  PLUGINS,
  PLUGIN_HOOKS,
  PLUGIN_EVENTS,
  PLUGIN_STORAGE,
  PLUGIN_METRICS,
];

/** Every table, each after those it refers to: created in this order, dropped in the reverse one. */
export const STORE_TABLES: readonly StoreTable[] = [
  SESSIONS,
  ACCESS_TOKENS,
  TENANTS,
  TENANT_HOSTS,
  WORKLOAD_METRICS,
  RATE_LIMITS,
  STORE_LEASES,
  ...PLUGIN_TABLES,
];
