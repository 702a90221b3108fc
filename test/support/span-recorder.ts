import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** OpenTelemetry as an application sets it up, and a place where spans are kept in the order in which they end. */
export class SpanRecorder implements SpanProcessor {
  #spans: ReadableSpan[] = [];

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [this] }));
  }

  /** Runs `work` in a span of its own and gives the spans that have ended meanwhile; throws when one is of another trace. */
  async during(work: () => Promise<unknown>): Promise<readonly ReadableSpan[]> {
    this.#spans = [];
    const caller = trace.getTracer('test').startSpan('caller');
    try {
      await context.with(trace.setSpan(context.active(), caller), work);
    } finally {
      caller.end();
    }
    const { traceId } = caller.spanContext();
    const strange = this.#spans.filter((span) => span.spanContext().traceId !== traceId);
    if (strange.length > 0) throw new Error(`of another trace: ${strange.map(({ name }) => name).join(', ')}`);
    return this.#spans.slice(0, -1);
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    this.#spans.push(span);
  }

  async forceFlush(): Promise<void> {}

  /** Leaves OpenTelemetry as it was found. */
  async shutdown(): Promise<void> {
    trace.disable();
    context.disable();
  }
}
