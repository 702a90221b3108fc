import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import {
  expressDeadline,
  expressTenant,
  expressTransaction,
  fastifyDeadline,
  fastifyEndpoints,
  fastifyTenant,
  fastifyTransaction,
  koaDeadline,
  koaEndpoints,
  koaTenant,
  koaTransaction,
} from '@dbmanager/middleware';
import { createRequestListener } from 'dbmanager';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import { type Framework, TENANTS } from './framework.js';
import { listening } from './listening.js';

const EXPRESS: Framework = {
  name: 'express',
  tellsOfErrors: false,
  prefix: '/ops',
  async serve({ manager, connection, routes, tenants }) {
    const app = express();
    app.set('env', 'test');
    app.use('/ops', createRequestListener({ manager, metrics: manager.metrics() }));
    app.use(TENANTS, expressTenant(tenants));
    for (const { method, path, transaction, deadline, handle } of routes) {
      const before = [
        ...(deadline === undefined ? [] : [expressDeadline(deadline)]),
        ...(transaction === undefined ? [] : [expressTransaction(connection, transaction)]),
      ];
      app[method](path, before, async (request: express.Request, response: express.Response) => {
        const answer = await handle({ request, raw: { request, response } });
        if (answer === undefined) return;
        response.status(answer.status ?? 200);
        if (answer.body instanceof Readable) answer.body.pipe(response);
        else response.json(answer.body);
      });
    }
    app.use(((error: { status?: number }, _request, response, _next) => {
      response.status(error.status ?? 500).json({ handled: true });
    }) as express.ErrorRequestHandler);
    return listening(createServer(app));
  },
};

const FASTIFY: Framework = {
  name: 'fastify',
  tellsOfErrors: true,
  prefix: '/ops',
  async serve({ manager, connection, routes, tenants }) {
    const app = fastify();
    app.register(fastifyEndpoints, { manager, metrics: manager.metrics(), prefix: '/ops' });
    for (const { method, path, transaction, deadline, direct, handle } of routes) {
      const onRequest = [
        ...(deadline === undefined ? [] : [fastifyDeadline(deadline)]),
        ...(path.startsWith(TENANTS) ? [fastifyTenant(tenants)] : []),
      ];
      const hooks = transaction === undefined ? {} : fastifyTransaction(connection, transaction);
      app[method](path, { ...hooks, onRequest }, async (request, reply) => {
        if (direct) reply.hijack();
        const answer = await handle({ request, raw: { request: request.raw, response: reply.raw } });
        if (answer === undefined) return reply;
        return reply.code(answer.status ?? 200).send(answer.body);
      });
    }
    app.setErrorHandler((error: { statusCode?: number }, _request, reply) =>
      reply.code(error.statusCode ?? 500).send({ handled: true }),
    );
    await app.listen({ port: 0, host: '127.0.0.1' });
    return {
      server: app.server,
      async close() {
        app.server.closeAllConnections();
        await app.close();
      },
    };
  },
};

const KOA: Framework = {
  name: 'koa',
  tellsOfErrors: true,
  prefix: '',
  async serve({ manager, connection, routes, tenants }) {
    const app = new Koa();
    app.silent = true;
    app.use(koaEndpoints({ manager, metrics: manager.metrics() }));
    app.use(async (ctx, next) => {
      try {
        await next();
      } catch (error) {
        ctx.status = (error as { status?: number }).status ?? 500;
        ctx.body = { handled: true };
      }
    });
    for (const { method, path, transaction, deadline, direct, handle } of routes) {
      const here: Koa.Middleware[] = [
        ...(deadline === undefined ? [] : [koaDeadline(deadline)]),
        ...(path.startsWith(TENANTS) ? [koaTenant(tenants)] : []),
        ...(transaction === undefined ? [] : [koaTransaction(connection, transaction)]),
        async (ctx) => {
          if (direct) ctx.respond = false;
          const answer = await handle({ request: ctx, raw: { request: ctx.req, response: ctx.res } });
          if (answer === undefined) return;
          ctx.status = answer.status ?? 200;
          ctx.body = answer.body;
        },
      ];
      const run = here.reduceRight<(ctx: Koa.Context, next: Koa.Next) => Promise<void>>(
        (inner, middleware) => async (ctx, next) => middleware(ctx as never, () => inner(ctx, next)),
        async (_ctx, next) => next(),
      );
      app.use((ctx, next) => (ctx.method.toLowerCase() === method && ctx.path === path ? run(ctx, next) : next()));
    }
    return listening(createServer(app.callback()));
  },
};

/** Those that are not Nest, which has a package of its own. */
export const FRAMEWORKS: readonly Framework[] = [EXPRESS, FASTIFY, KOA];
