import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { type Exchange, RequestContext } from './request-context.js';
import { RequestDeadline, type RequestDeadlineOptions } from './request-deadline.js';
import { type RequestConnection, type RequestTransactionOptions, RequestTransactions } from './request-transaction.js';
import type { TenantsByHost } from './tenants-by-host.js';

/** A middleware of Express, Connect and their kin; Nest takes it too, by `app.use`, on either of its platforms. */
export type ExpressMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * A transaction for each request of what it is mounted on: an application, a router, or a route
 * (`app.post('/orders', expressTransaction(shop), handler)`). Mount it after the parser of bodies. See
 * {@link RequestTransactions.run}; errors go to the application's error handlers, unless the handler is still running: then the
 * client has been answered, and they are told when the response is closed.
 */
export function expressTransaction<T extends object>(
  connection: RequestConnection<T>,
  options?: RequestTransactionOptions,
): ExpressMiddleware {
  const transactions = new RequestTransactions(connection, options);
  return (request, response, next) => {
    const exchange = { request, response };
    const handle = (asked: Promise<void>) => {
      next();
      return asked;
    };
    transactions.run(exchange, handle).catch((error: unknown) => pass(error, exchange, next));
  };
}

/** A deadline for each request, which then is answered 503, whatever its handler does. */
export function expressDeadline(options: RequestDeadlineOptions): ExpressMiddleware {
  const deadline = new RequestDeadline(options);
  return (request, response, next) => {
    deadline.start({ request, response });
    next();
  };
}

/** Finds the tenant of each request, or passes on the error that says there is none. */
export function expressTenant(tenants: TenantsByHost<object>): ExpressMiddleware {
  return (request, response, next) => {
    const exchange = { request, response };
    tenants.find(exchange).then(
      () => next(),
      (error: unknown) => pass(error, exchange, next),
    );
  };
}

/** Whoever called the request off has answered it; error handlers that would answer have to wait until the answer is out. */
function pass(error: unknown, exchange: Exchange, next: (error: unknown) => void): void {
  const { gate, signal } = RequestContext.of(exchange);
  if (!gate.shut) next(error);
  else if (!signal.aborted) finished(exchange.response, () => next(error));
}
