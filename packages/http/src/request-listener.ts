import type { IncomingMessage, ServerResponse } from 'node:http';
import { createEndpoints, type Endpoint, type EndpointOptions, type EndpointReply, jsonReply } from './endpoints.js';

/** Listens to requests of `node:http`; also a middleware of Express, Connect and their kin, which pass `next`. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

const METHODS = ['GET', 'HEAD'];

/**
 * Serves `/metrics`, `/statements`, `/health`, `/health/live` and `/health/ready`. Other paths go to `next` where it is given and get
 * 404 otherwise; other methods get 405. Mounted under a prefix (`app.use('/ops', listener)`) it serves below it.
 *
 * ```ts
 * http.createServer(createRequestListener({ manager, metrics })).listen(9464, '127.0.0.1');
 * ```
 */
export function createRequestListener(options: EndpointOptions): RequestListener {
  const endpoints = new Map<string, Endpoint>(Object.entries(createEndpoints(options)));
  const notFound = jsonReply(404, { status: 'not found', paths: [...endpoints.keys()] });

  return (request, response, next) => {
    const endpoint = endpoints.get(pathOf(request));
    if (endpoint === undefined) {
      if (next === undefined) send(response, notFound);
      else next();
      return;
    }
    if (!METHODS.includes(request.method ?? '')) {
      response.setHeader('Allow', METHODS.join(', '));
      send(response, jsonReply(405, { status: 'method not allowed', methods: METHODS }));
      return;
    }
    // Endpoints never reject, and sending on a socket that is gone does nothing.
    void endpoint().then((reply) => send(response, reply));
  };
}

/** The path without the query. */
function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

function send(response: ServerResponse, { status, contentType, body }: EndpointReply): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  // Node leaves the body out of an answer to HEAD.
  response.end(body);
}
