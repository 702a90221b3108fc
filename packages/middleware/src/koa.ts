import type { IncomingMessage, ServerResponse } from 'node:http';
import { createEndpoints, type Endpoint, type EndpointOptions } from '@dbmanager/http';
import { ENDPOINT_HEADERS } from './endpoint-headers.js';
import { type Exchange, RequestContext } from './request-context.js';
import { RequestDeadline, type RequestDeadlineOptions } from './request-deadline.js';
import { type RequestConnection, type RequestTransactionOptions, RequestTransactions } from './request-transaction.js';
import type { TenantsByHost } from './tenants-by-host.js';

/** What is used of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly method: string;
  readonly path: string;
  /** False: the handler writes to `res` itself. */
  readonly respond?: boolean | undefined;
  status: number;
  body: unknown;
  set(headers: Record<string, string>): void;
}

/** A middleware of Koa. */
export type KoaMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<void>;

/** A transaction for each request that comes by. See {@link RequestTransactions.run}; its errors are thrown, for the middlewares around it. */
export function koaTransaction<T extends object>(
  connection: RequestConnection<T>,
  options?: RequestTransactionOptions,
): KoaMiddleware {
  const transactions = new RequestTransactions(connection, options);
  return async (ctx, next) => {
    const exchange = exchangeOf(ctx);
    let handling: Promise<unknown> | undefined;
    const ended = transactions.run(exchange, () => {
      handling = next();
      return handling;
    });
    try {
      await ended;
    } catch (error) {
      // Koa itself answers nothing then, not even what middlewares around make of the error.
      if (ctx.respond === false) RequestContext.of(exchange).gate.refuse(error);
      throw error;
    }
    // One that wrote to `ctx.res` itself goes on after the commit.
    await handling;
  };
}

/** A deadline for each request, which then is answered 503, whatever its handler does; its error is thrown, too. */
export function koaDeadline(options: RequestDeadlineOptions): KoaMiddleware {
  const deadline = new RequestDeadline(options);
  return async (ctx, next) => {
    await deadline.start(exchangeOf(ctx)).race(next());
  };
}

/** Finds the tenant of each request, or throws the error that says there is none. */
export function koaTenant(tenants: TenantsByHost<object>): KoaMiddleware {
  return async (ctx, next) => {
    await tenants.find(exchangeOf(ctx));
    await next();
  };
}

/** Serves `/metrics`, `/statements`, `/health`, `/health/live` and `/health/ready`, under a prefix by `koa-mount`. */
export function koaEndpoints(options: EndpointOptions): KoaMiddleware {
  const endpoints = new Map<string, Endpoint>(Object.entries(createEndpoints(options)));
  return async (ctx, next) => {
    const endpoint = ctx.method === 'GET' || ctx.method === 'HEAD' ? endpoints.get(ctx.path) : undefined;
    if (endpoint === undefined) {
      await next();
      return;
    }
    const { status, contentType, body } = await endpoint();
    ctx.status = status;
    ctx.set({ ...ENDPOINT_HEADERS, 'Content-Type': contentType });
    ctx.body = body;
  };
}

function exchangeOf({ req, res }: KoaContext): Exchange {
  return { request: req, response: res };
}
