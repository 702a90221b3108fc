import type { IncomingMessage, ServerResponse } from 'node:http';
import { DbManagerError, raceSignal } from '@dbmanager/core';
import { CLIENT_CLOSED_REQUEST, RequestError } from './request-error.js';
import { ResponseGate } from './response-gate.js';

/** A request of `node:http` and its response, which every framework stands on. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const contexts = new WeakMap<object, RequestContext>();

/** What the middlewares of this package share of one request: its end, its response, and what they found for it. */
export class RequestContext {
  readonly gate: ResponseGate;
  /** The transactions of the request, by their connections. */
  readonly transactions = new Map<object, unknown>();
  readonly #controller = new AbortController();
  /** Aborted when the client was answered, or has gone, before the handler came to its end. */
  readonly #over = new AbortController();
  #committing = 0;

  private constructor({ response }: Exchange) {
    this.gate = new ResponseGate(response);
    const closed = () => {
      if (response.writableFinished) return;
      this.callOff(new RequestError('DBM_ABORTED', CLIENT_CLOSED_REQUEST, 'the client hung up'));
    };
    // The client may have gone while a middleware before this one waited for something.
    if (response.closed) closed();
    else response.once('close', closed);
  }

  /** That of the request, the same each time. */
  static of(exchange: Exchange): RequestContext {
    const known = contexts.get(exchange.request);
    if (known !== undefined) return known;
    const context = new RequestContext(exchange);
    contexts.set(exchange.request, context);
    return context;
  }

  /**
   * That of a request as a framework hands it to its handlers: Express's and Nest's own, Fastify's `request`, Koa's `ctx`.
   * Throws `DBM_UNSUPPORTED` when no middleware of this package has seen it.
   */
  static find(request: object): RequestContext {
    const context = contexts.get(rawRequest(request));
    if (context !== undefined) return context;
    throw new DbManagerError('DBM_UNSUPPORTED', 'no middleware of dbmanager has seen this request; mount one before');
  }

  /** Aborted when the request is called off: its client hung up, or its deadline has passed. The reason is a {@link RequestError}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Ends the request with an error: everything that goes by its signal ends, and the client is answered at once, whatever the
   * handler does. Where a COMMIT is under way, that alone knows what the answer is to be.
   */
  callOff(error: RequestError): void {
    if (this.signal.aborted) return;
    const decided = this.#committing === 0;
    if (decided) this.gate.refuse(error);
    this.#controller.abort(error);
    if (decided) this.#over.abort(error);
  }

  /** Settles as `handling` does; rejects as soon as the request is over without it. */
  race<T>(handling: Promise<T>): Promise<T> {
    return raceSignal(handling, this.#over.signal);
  }

  /** From now on a COMMIT decides on the answer, until what this returns is called. */
  committing(): () => void {
    this.#committing++;
    return () => {
      this.#committing--;
    };
  }
}

/** The request of `node:http` behind one of a framework. */
export function rawRequest(request: object): object {
  if (contexts.has(request)) return request;
  const { raw, req } = request as { readonly raw?: object; readonly req?: object };
  return raw ?? req ?? request;
}
