import type { IncomingMessage, ServerResponse } from 'node:http';
import { createEndpoints, type Endpoint, type EndpointOptions } from '@dbmanager/http';
import { ENDPOINT_HEADERS } from './endpoint-headers.js';
import { type Exchange, RequestContext } from './request-context.js';
import { RequestDeadline, type RequestDeadlineOptions } from './request-deadline.js';
import { type RequestConnection, type RequestTransactionOptions, RequestTransactions } from './request-transaction.js';
import type { TenantsByHost } from './tenants-by-host.js';

/** What is used of Fastify's request. */
export interface FastifyRequest {
  readonly raw: IncomingMessage;
  readonly log: { error(details: object, message: string): void };
}

/** What is used of Fastify's reply. */
export interface FastifyReply {
  readonly raw: ServerResponse;
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/** What is used of a Fastify instance. */
export interface FastifyRoutes {
  get(path: string, handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>): unknown;
}

type Done = (error?: Error) => void;

/** Hooks that go together: spread into the options of a route, or each given to `app.addHook`. */
export interface FastifyTransactionHooks {
  preHandler(request: FastifyRequest, reply: FastifyReply, done: Done): void;
  onSend(request: FastifyRequest): Promise<void>;
  onError(request: FastifyRequest, reply: FastifyReply, error: Error): Promise<void>;
}

/** How the transaction of a request is told of its answer. */
interface Answer {
  readonly given: PromiseWithResolvers<void>;
  /** Settles with the transaction. */
  readonly ended: Promise<void>;
}

/**
 * A transaction for each request of a route: `app.post('/orders', { ...fastifyTransaction(shop) }, handler)`. See
 * {@link RequestTransactions.run}; its errors go to the error handler, unless the handler is still running: then the client has
 * been answered, and they are logged.
 */
export function fastifyTransaction<T extends object>(
  connection: RequestConnection<T>,
  options?: RequestTransactionOptions,
): FastifyTransactionHooks {
  const transactions = new RequestTransactions(connection, options);
  const answers = new WeakMap<IncomingMessage, Answer>();
  const take = ({ raw }: FastifyRequest): Answer | undefined => {
    const answer = answers.get(raw);
    answers.delete(raw);
    return answer;
  };

  return {
    preHandler(request, reply, done) {
      // Mounted twice, on the instance and on the route: the first does it.
      if (answers.has(request.raw)) return done();
      const exchange = exchangeOf(request, reply);
      const { gate, signal } = RequestContext.of(exchange);
      const given = Promise.withResolvers<void>();
      let begun = false;
      const ended = transactions.run(exchange, () => {
        begun = true;
        done();
        return given.promise;
      });
      answers.set(request.raw, { given, ended });
      ended.catch((error: Error) => {
        // Where the hooks below wait for it, they pass it on.
        if (take(request) === undefined) return;
        if (!begun && !gate.shut) return done(error);
        gate.refuse(error);
        if (!signal.aborted) request.log.error({ err: error }, 'the transaction of a request failed');
      });
    },

    async onSend(request) {
      const answer = take(request);
      answer?.given.resolve();
      await answer?.ended;
    },

    async onError(request, _reply, error) {
      const answer = take(request);
      answer?.given.reject(error);
      // It ends with that very error, which is being answered.
      await answer?.ended.catch(() => undefined);
    },
  };
}

/** A deadline for each request, which then is answered 503, whatever its handler does: for `app.addHook('onRequest', …)`, or a route. */
export function fastifyDeadline(
  options: RequestDeadlineOptions,
): (request: FastifyRequest, reply: FastifyReply, done: Done) => void {
  const deadline = new RequestDeadline(options);
  return (request, reply, done) => {
    deadline.start(exchangeOf(request, reply));
    done();
  };
}

/** Finds the tenant of each request, or rejects with the error that says there is none: for `app.addHook('onRequest', …)`, or a route. */
export function fastifyTenant(
  tenants: TenantsByHost<object>,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    await tenants.find(exchangeOf(request, reply));
  };
}

/**
 * A plugin that serves `/metrics`, `/statements`, `/health`, `/health/live` and `/health/ready`:
 * `app.register(fastifyEndpoints, { manager, metrics, prefix: '/ops' })`.
 */
export async function fastifyEndpoints(app: FastifyRoutes, options: EndpointOptions): Promise<void> {
  for (const [path, endpoint] of Object.entries<Endpoint>(createEndpoints(options))) {
    app.get(path, async (_request, reply) => {
      const { status, contentType, body } = await endpoint();
      reply.code(status);
      reply.headers({ ...ENDPOINT_HEADERS, 'content-type': contentType });
      return body;
    });
  }
}

function exchangeOf(request: FastifyRequest, reply: FastifyReply): Exchange {
  return { request: request.raw, response: reply.raw };
}
