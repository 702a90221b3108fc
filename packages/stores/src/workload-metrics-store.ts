import type { Row } from '@dbmanager/core';
import { type CleanUpOptions, deleteUntil } from './delete-until.js';
import { insertRows } from './insert-rows.js';
import type { StoreContext, StoreOptions } from './store-context.js';
import { columnsOf } from './store-table.js';
import { WORKLOAD_METRICS } from './store-tables.js';
import {
  dateOf,
  inputOf,
  keyOf,
  optionalKeyOf,
  optionalTextOf,
  textIn,
  textOf,
  timeOf,
  wholeOf,
} from './store-values.js';

/** What one request took, to save. Numbers default to 0, texts to none. */
export interface WorkloadMetricsInput {
  readonly timestamp: Date;
  readonly tenantId: string;
  readonly userId?: string | undefined;
  readonly requestId?: string | undefined;
  /** In milliseconds; kept as a whole number. */
  readonly duration?: number | undefined;
  /** In bytes. */
  readonly contextSize?: number | undefined;
  /** In bytes. */
  readonly memoryUsage?: number | undefined;
  /** In per cent. */
  readonly cpuUsage?: number | undefined;
  readonly path?: string | undefined;
  readonly method?: string | undefined;
  readonly statusCode?: number | undefined;
  /** In bytes. */
  readonly responseSize?: number | undefined;
  readonly errorMessage?: string | undefined;
}

/** What one request took. */
export interface WorkloadMetrics {
  /** Counted up by the database. */
  readonly id: number;
  readonly timestamp: Date;
  readonly tenantId: string;
  readonly userId: string | undefined;
  readonly requestId: string | undefined;
  readonly duration: number;
  readonly contextSize: number;
  readonly memoryUsage: number;
  readonly cpuUsage: number;
  readonly path: string;
  readonly method: string;
  readonly statusCode: number;
  readonly responseSize: number;
  readonly errorMessage: string | undefined;
}

const COLUMNS = columnsOf(WORKLOAD_METRICS);
const INSERTED = COLUMNS.filter((column) => column !== 'id');

/** What requests took, by tenant and time. Every method rejects with `DBM_STORE_TABLE` when the table is missing. */
export class WorkloadMetricsStore {
  readonly #context: StoreContext;
  readonly #table: string;

  constructor(context: StoreContext) {
    this.#context = context;
    this.#table = context.name(WORKLOAD_METRICS);
  }

  /** Saves what one request took. Rejects with `DBM_INVALID_OPTION` for what cannot be stored. */
  async save(metrics: WorkloadMetricsInput, options?: StoreOptions): Promise<void> {
    await insertRows(this.#context, WORKLOAD_METRICS, INSERTED, [this.#row(metrics)], options);
  }

  /** Saves what many requests took, all or nothing, by few statements. */
  async saveMany(metrics: readonly WorkloadMetricsInput[], options?: StoreOptions): Promise<void> {
    if (!Array.isArray(metrics)) throw this.#context.invalid('metrics', 'what many requests took is a list');
    const rows = metrics.map((each) => this.#row(each));
    if (rows.length === 0) return;
    await this.#context.transaction(
      (context) => insertRows(context, WORKLOAD_METRICS, INSERTED, rows, options),
      options,
    );
  }

  /** What requests of a tenant took from one moment to another, both included, the newest first; all in memory. */
  async list(tenantId: string, from: Date, to: Date, options?: StoreOptions): Promise<WorkloadMetrics[]> {
    const context = this.#context;
    const sql = `select ${COLUMNS.join(', ')} from ${this.#table}
where tenant_id = ? and recorded_at >= ? and recorded_at <= ? order by recorded_at desc, id desc`;
    const params = [keyOf(context, 'tenantId', tenantId), timeOf(context, 'from', from), timeOf(context, 'to', to)];
    const rows = await context.query(WORKLOAD_METRICS, sql, params, options);
    return rows.map(metricsOf);
  }

  /**
   * Deletes what was recorded up to `until`, a few rows at a time; the number of them. It must be said, as nothing of it expires by
   * itself.
   */
  async cleanUp(options: CleanUpOptions & { readonly until: Date }): Promise<number> {
    timeOf(this.#context, 'until', options?.until);
    return deleteUntil(this.#context, WORKLOAD_METRICS, 'recorded_at', options);
  }

  #row(metrics: WorkloadMetricsInput): readonly unknown[] {
    const context = this.#context;
    inputOf(context, 'metrics', metrics);
    const whole = (option: 'contextSize' | 'memoryUsage' | 'statusCode' | 'responseSize') =>
      wholeOf(context, option, metrics[option] ?? 0);
    const values = {
      recorded_at: timeOf(context, 'timestamp', metrics.timestamp),
      tenant_id: keyOf(context, 'tenantId', metrics.tenantId),
      user_id: optionalKeyOf(context, 'userId', metrics.userId),
      request_id: optionalKeyOf(context, 'requestId', metrics.requestId),
      duration_ms: wholeOf(context, 'duration', Math.round(metrics.duration ?? 0)),
      context_size: whole('contextSize'),
      memory_usage: whole('memoryUsage'),
      cpu_usage: this.#finite('cpuUsage', metrics.cpuUsage ?? 0),
      request_path: textOf(context, 'path', metrics.path ?? ''),
      http_method: textOf(context, 'method', metrics.method ?? ''),
      status_code: whole('statusCode'),
      response_size: whole('responseSize'),
      error_message: optionalTextOf(context, 'errorMessage', metrics.errorMessage),
    };
    return INSERTED.map((column) => values[column as keyof typeof values]);
  }

  #finite(option: string, value: unknown): number {
    if (Number.isFinite(value)) return value as number;
    throw this.#context.invalid(option, `${option} must be a finite number`);
  }
}

function metricsOf(row: Row): WorkloadMetrics {
  return {
    id: Number(row.id),
    timestamp: dateOf(row.recorded_at),
    tenantId: String(row.tenant_id),
    userId: textIn(row.user_id),
    requestId: textIn(row.request_id),
    duration: Number(row.duration_ms),
    contextSize: Number(row.context_size),
    memoryUsage: Number(row.memory_usage),
    cpuUsage: Number(row.cpu_usage),
    path: String(row.request_path),
    method: String(row.http_method),
    statusCode: Number(row.status_code),
    responseSize: Number(row.response_size),
    errorMessage: textIn(row.error_message),
  };
}
