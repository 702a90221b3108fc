import {
  type Clock,
  type CommentForm,
  type ConnectionConfig,
  isDbManagerError,
  type ObservedEngine,
  type ProviderContext,
  type SqlLexis,
  type StatementObservation,
  type StatementObserver,
  type StatementProfile,
  type StatementRecorder,
  type StatementStats,
  silentLogger,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Span } from '@opentelemetry/api';
import { readStatement, type StatementSubject } from './read-statement.js';
import { RecentMap } from './recent-map.js';
import { type CommentTags, sqlComment } from './sql-comment.js';
import { StatementCounters } from './statement-counters.js';
import { StatementLog } from './statement-log.js';
import { StatementShape } from './statement-shape.js';
import { type Skeletons, skeletonsOf } from './statement-skeleton.js';
import { StatementTracer } from './statement-tracer.js';

/** Texts that are remembered; those of an application are fewer, those with values in them more than any number. */
const REMEMBERED_TEXTS = 500;
/** Longer texts are worked out each time: they are mostly bulk inserts of ever different length. */
const LONGEST_REMEMBERED = 16_384;

/** What is made of statements, of which some may be switched off. */
interface Sinks {
  readonly clock: Clock;
  readonly log: StatementLog | undefined;
  readonly tracer: StatementTracer | undefined;
  /** What comments say of every statement; undefined where none are wanted. */
  readonly tags: CommentTags | undefined;
}

/** What is the same for each engine that a connection opens. */
type LastingSinks = Pick<Sinks, 'clock' | 'log'>;

/**
 * Makes what keeps account of the statements of one connection: its metrics by `enable_metrics`, spans by `enable_tracing`, and
 * records of slow and failed ones when there is a logger; and what comments on them by `sql_comments`. Undefined when nothing of that is wanted: then nothing is watched.
 */
export function createTelemetry(
  config: ConnectionConfig,
  { clock, logger }: Pick<ProviderContext, 'clock' | 'logger'>,
): StatementRecorder | undefined {
  const { enableMetrics, enableTracing, sqlComments, slowQueryThresholdMs } = config.options;
  const log = logger === silentLogger ? undefined : new StatementLog(logger, config.name, slowQueryThresholdMs);
  if (!enableMetrics && !enableTracing && !sqlComments && log === undefined) return undefined;
  return new ConnectionTelemetry(config, { clock, log });
}

class ConnectionTelemetry implements StatementRecorder {
  readonly #config: ConnectionConfig;
  readonly #sinks: LastingSinks;
  readonly #counters = new StatementCounters();
  #shapes = new Shapes();
  #tracer: StatementTracer | undefined;

  constructor(config: ConnectionConfig, sinks: LastingSinks) {
    this.#config = config;
    this.#sinks = sinks;
  }

  /** Throws `DBM_PACKAGE_NOT_INSTALLED` when spans are wanted and @opentelemetry/api is missing. */
  readonly observe = ({ identity, lexis = {}, tags = {} }: ObservedEngine): StatementObserver => {
    const { name, options } = this.#config;
    this.#tracer = options.enableTracing ? new StatementTracer(name, identity) : undefined;
    // Another engine may be elsewhere, which the attributes of a shape say.
    this.#shapes = new Shapes();
    const sinks = { ...this.#sinks, tracer: this.#tracer, tags: options.sqlComments ? tags : undefined };
    return new Observer(sinks, lexis, this.#shapes, this.#counters);
  };

  stats(): StatementStats {
    return this.#counters.snapshot();
  }

  slowest(limit: number): readonly StatementProfile[] {
    const profiles = new Map<string, StatementProfile>();
    for (const shape of this.#shapes.values()) {
      const { masked: text, operation, collection, count, errors, totalMs, maxMs } = shape;
      const known = profiles.get(text);
      profiles.set(text, {
        ...{ text, operation, collection },
        count: count + (known?.count ?? 0),
        errors: errors + (known?.errors ?? 0),
        totalMs: totalMs + (known?.totalMs ?? 0),
        maxMs: Math.max(maxMs, known?.maxMs ?? 0),
      });
    }
    return [...profiles.values()].sort((a, b) => b.totalMs - a.totalMs).slice(0, limit);
  }

  transaction<T>(work: () => Promise<T>): Promise<T> {
    return this.#tracer === undefined ? work() : this.#tracer.transaction(work, errorTypeOf);
  }
}

/** What is known of the statements of one engine. */
class Shapes {
  /** By text, or by operation and collection. */
  readonly exact = new RecentMap<StatementShape>(REMEMBERED_TEXTS);
  /** Of those with values in their texts, by skeleton: apart, as a text that has none may look like one. */
  readonly alike = new RecentMap<StatementShape>(REMEMBERED_TEXTS);

  *values(): Generator<StatementShape, void> {
    yield* this.exact.values();
    yield* this.alike.values();
  }
}

class Observer implements StatementObserver {
  readonly #sinks: Sinks;
  readonly #lexis: SqlLexis;
  readonly #skeletons: Skeletons;
  readonly #shapes: Shapes;
  readonly #counters: StatementCounters;

  constructor(sinks: Sinks, lexis: SqlLexis, shapes: Shapes, counters: StatementCounters) {
    this.#sinks = sinks;
    this.#lexis = lexis;
    this.#skeletons = skeletonsOf(lexis);
    this.#shapes = shapes;
    this.#counters = counters;
  }

  begin(sql: string, parameterised: boolean): StatementObservation {
    const shape = this.#shapes.exact.get(sql) ?? (parameterised ? undefined : this.#alike(sql)) ?? this.#read(sql);
    return this.#begin(sql, shape, parameterised);
  }

  beginCommand(operation: string, collection: string | undefined): StatementObservation {
    const key = `${operation}\n${collection ?? ''}`;
    return this.#begin('', this.#shapes.exact.get(key) ?? this.#remember(key, { operation, collection }), false);
  }

  #begin(sql: string, shape: StatementShape, parameterised: boolean): StatementObservation {
    return new Observation(this.#sinks, sql, shape, this.#sinks.tracer?.begin(shape, parameterised));
  }

  /** The shape that a statement shares with those that differ from it in literals only; undefined when it has none. */
  #alike(sql: string): StatementShape | undefined {
    const skeleton = sql.length > LONGEST_REMEMBERED ? undefined : this.#skeletons(sql);
    if (skeleton === undefined || skeleton === sql) return undefined;
    const known = this.#shapes.alike.get(skeleton);
    if (known !== undefined) return known;
    const shape = this.#shape(readStatement(sql, this.#lexis), sql);
    this.#shapes.alike.set(skeleton, shape);
    return shape;
  }

  #read(sql: string): StatementShape {
    return this.#remember(sql, readStatement(sql, this.#lexis), sql);
  }

  #remember(key: string, subject: StatementSubject, sql?: string): StatementShape {
    const shape = this.#shape(subject, sql);
    if (key.length <= LONGEST_REMEMBERED) this.#shapes.exact.set(key, shape);
    return shape;
  }

  #shape(subject: StatementSubject, sql: string | undefined): StatementShape {
    const series = this.#counters.series(subject.operation, subject.collection ?? '');
    return new StatementShape(subject, series, sql, this.#lexis);
  }
}

class Observation implements StatementObservation {
  readonly #sinks: Sinks;
  readonly #sql: string;
  readonly #shape: StatementShape;
  readonly #span: Span | undefined;
  readonly #startedAt: number;
  #ended = false;

  constructor(sinks: Sinks, sql: string, shape: StatementShape, span: Span | undefined) {
    this.#sinks = sinks;
    this.#sql = sql;
    this.#shape = shape;
    this.#span = span;
    this.#startedAt = sinks.clock.now();
  }

  end(rows?: number): void {
    if (this.#ended) return;
    const durationMs = this.#account(rows, false);
    if (this.#span !== undefined) this.#sinks.tracer?.end(this.#span, rows);
    this.#sinks.log?.ended(this.#shape, { durationMs, rows, errorType: undefined });
  }

  fail(error: unknown, status?: string): void {
    if (this.#ended) return;
    const durationMs = this.#account(undefined, true);
    const errorType = status ?? errorTypeOf(error);
    if (this.#span !== undefined) this.#sinks.tracer?.fail(this.#span, errorType, status);
    this.#sinks.log?.ended(this.#shape, { durationMs, rows: undefined, errorType });
  }

  commented(form: CommentForm): string | undefined {
    const { tags, tracer } = this.#sinks;
    if (tags === undefined) return undefined;
    const headers = form === 'traced' && this.#span !== undefined ? tracer?.headersOf(this.#span) : undefined;
    return this.#shape.commented(this.#sql, sqlComment({ ...tags, ...headers }));
  }

  #account(rows: number | undefined, failed: boolean): number {
    this.#ended = true;
    const durationMs = this.#sinks.clock.now() - this.#startedAt;
    this.#shape.account(durationMs, failed);
    this.#shape.series.observe(durationMs, rows, failed);
    return durationMs;
  }
}

/** OpenTelemetry's `error.type`: a code where the error has one, else the name of its class. */
function errorTypeOf(error: unknown): string {
  if (isDbManagerError(error)) return error.code;
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
  return typeof code === 'string' || typeof code === 'number'
    ? String(code)
    : typeof name === 'string'
      ? name
      : '_OTHER';
}
