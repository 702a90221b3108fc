import { type EngineIdentity, loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Span, SpanContext, Tracer } from '@opentelemetry/api';
import { guarded } from './guarded.js';
import type { CommentTags } from './sql-comment.js';
import type { StatementShape } from './statement-shape.js';

type Api = typeof import('@opentelemetry/api');
type Attributes = Readonly<Record<string, string | number>>;

/** By `db.system.name`: the port goes without saying. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  postgresql: 5432,
  cockroachdb: 26257,
  mysql: 3306,
  mariadb: 3306,
  'microsoft.sql_server': 1433,
  mongodb: 27017,
};

/**
 * Makes the spans of one connection, by the database conventions of OpenTelemetry: one for each statement, in the trace of
 * whoever sends it. Values are in none; a text that may hold some has `?` in their place.
 */
export class StatementTracer {
  readonly #api: Api;
  readonly #common: Attributes;

  /** Throws `DBM_PACKAGE_NOT_INSTALLED` without @opentelemetry/api. */
  constructor(connectionName: string, identity: EngineIdentity) {
    this.#api = loadPeer<Api>('@opentelemetry/api', import.meta.url, { by: 'enable_tracing', connectionName });
    this.#common = commonAttributes(connectionName, identity);
  }

  /** Asked for each time: the application may set OpenTelemetry up later, by another copy of the package's code. */
  get #tracer(): Tracer {
    return this.#api.trace.getTracer('dbmanager');
  }

  /** Undefined where the SDK fails. */
  begin(shape: StatementShape, parameterised: boolean): Span | undefined {
    const attributes = parameterised ? this.#parameterised(shape) : this.#plain(shape);
    return guarded(() => this.#tracer.startSpan(shape.summary, { kind: this.#api.SpanKind.CLIENT, attributes }));
  }

  /** The headers of W3C's trace context that lead to a span; none where no SDK is set up. */
  headersOf(span: Span): CommentTags {
    return guarded(() => this.#headersOf(span.spanContext())) ?? {};
  }

  end(span: Span, rows?: number): void {
    guarded(() => {
      if (rows !== undefined) span.setAttribute('db.response.returned_rows', rows);
      span.end();
    });
  }

  /** @param status what the server calls the error. */
  fail(span: Span, errorType: string, status: string | undefined): void {
    guarded(() => {
      // No message: it may repeat values.
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
      span.setAttribute('error.type', errorType);
      if (status !== undefined) span.setAttribute('db.response.status_code', status);
      span.end();
    });
  }

  /** Runs `work` in a span of its own, under which those of its statements are. */
  async transaction<T>(work: () => Promise<T>, typeOf: (error: unknown) => string): Promise<T> {
    const { context, trace, SpanKind } = this.#api;
    const options = { kind: SpanKind.INTERNAL, attributes: this.#common };
    const span = guarded(() => this.#tracer.startSpan('TRANSACTION', options));
    if (span === undefined) return work();
    try {
      const result = await context.with(trace.setSpan(context.active(), span), work);
      this.end(span);
      return result;
    } catch (error) {
      this.fail(span, typeOf(error), undefined);
      throw error;
    }
  }

  #headersOf(context: SpanContext): CommentTags {
    if (!this.#api.isSpanContextValid(context)) return {};
    const { traceId, spanId, traceFlags, traceState } = context;
    const flags = traceFlags.toString(16).padStart(2, '0');
    return { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() };
  }

  #plain(shape: StatementShape): Attributes {
    shape.attributes ??= this.#attributes(shape, shape.text === undefined ? undefined : shape.masked);
    return shape.attributes;
  }

  #parameterised(shape: StatementShape): Attributes {
    shape.parameterisedAttributes ??= this.#attributes(shape, shape.text);
    return shape.parameterisedAttributes;
  }

  #attributes({ operation, collection, summary }: StatementShape, text: string | undefined): Attributes {
    return {
      ...this.#common,
      'db.operation.name': operation,
      'db.query.summary': summary,
      ...(collection !== '' && { 'db.collection.name': collection }),
      ...(text !== undefined && { 'db.query.text': text }),
    };
  }
}

function commonAttributes(connectionName: string, { system, namespace, address, port }: EngineIdentity): Attributes {
  return {
    'db.system.name': system,
    'db.client.connection.pool.name': connectionName,
    ...(namespace !== undefined && { 'db.namespace': namespace }),
    ...(address !== undefined && { 'server.address': address }),
    ...(address !== undefined && port !== undefined && port !== DEFAULT_PORTS[system] && { 'server.port': port }),
  };
}
