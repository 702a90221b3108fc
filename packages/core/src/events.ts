/** Takes listeners for the events of `Events`, an interface of event name to payload. */
export interface EventSource<Events> {
  /** Calls `listener` at each event; returns the function that ends that. */
  on<E extends keyof Events>(event: E, listener: (payload: Events[E]) => void): () => void;
}

/** A typed emitter in which a listener that throws stops neither the others nor the emitter. */
export class EventHub<Events> implements EventSource<Events> {
  readonly #listeners = new Map<keyof Events, Set<(payload: never) => void>>();
  readonly #onListenerError: (error: unknown) => void;

  /** @param onListenerError told of what a listener throws; by default it becomes an uncaught exception of its own. */
  constructor(onListenerError: (error: unknown) => void = rethrowLater) {
    this.#onListenerError = onListenerError;
  }

  on<E extends keyof Events>(event: E, listener: (payload: Events[E]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    // Wrapped so that the same function registered twice is called twice and removed once.
    const entry = (payload: never) => listener(payload);
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
    };
  }

  /** True when somebody listens: lets hot paths skip building a payload. */
  has(event: keyof Events): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  emit<E extends keyof Events>(event: E, payload: Events[E]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) {
      try {
        listener(payload as never);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}

function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
