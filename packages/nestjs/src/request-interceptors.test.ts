import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { expressTenant, TenantsByHost } from '@dbmanager/middleware';
import { FakeClock } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Module,
  Post,
  Req,
  Res,
  StreamableFile,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConnectionManager, type ConnectionTransaction, createRequestListener } from 'dbmanager';
import type { Request, Response } from 'express';
import { lastValueFrom, NEVER } from 'rxjs';
import type { Framework, Route } from '../../middleware/test/framework.js';
import { TENANTS } from '../../middleware/test/framework.js';
import { runFrameworkSuite } from '../../middleware/test/framework-suite.js';
import { DbManagerModule } from './db-manager-module.js';
import { Deadline, DeadlineInterceptor, Transactional } from './request-interceptors.js';
import { CurrentTenant, CurrentTransaction, RequestSignal } from './request-parameters.js';

/** A controller with one method, which is decorated as an application would. */
function controllerOf({ method, path, transaction, deadline, direct, handle }: Route): Type {
  class RouteController {
    async run(request: Request, response: Response): Promise<object | undefined> {
      const answer = await handle({ request, raw: { request, response } });
      if (answer?.status !== undefined) response.status(answer.status);
      return answer?.body instanceof Readable ? new StreamableFile(answer.body) : answer?.body;
    }
  }
  const target = RouteController.prototype;
  const descriptor = Object.getOwnPropertyDescriptor(target, 'run') as TypedPropertyDescriptor<unknown>;
  const decorators = [
    method === 'get' ? Get(path) : Post(path),
    ...(deadline === undefined ? [] : [Deadline(deadline)]),
    ...(transaction === undefined ? [] : [Transactional('test', transaction)]),
  ];
  for (const decorate of decorators.reverse()) decorate(target, 'run', descriptor);
  Req()(target, 'run', 0);
  Res({ passthrough: direct === undefined })(target, 'run', 1);
  Controller()(RouteController);
  return RouteController;
}

/** The manager is connected and closed by the suite. */
async function serveNest(app: INestApplication) {
  await app.listen(0, '127.0.0.1');
  const server = app.getHttpServer();
  return {
    server,
    async close() {
      server.closeAllConnections();
      await app.close();
    },
  };
}

const NEST: Framework = {
  name: 'nest',
  tellsOfErrors: true,
  prefix: '/ops',
  async serve({ manager, routes, tenants }) {
    class AppModule {}
    Module({
      imports: [DbManagerModule.forRootAsync({ useFactory: () => manager })],
      controllers: routes.map(controllerOf),
    })(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false });
    app.use('/ops', createRequestListener({ manager, metrics: manager.metrics() }));
    app.use(TENANTS, expressTenant(tenants));
    return serveNest(app);
  },
};

runFrameworkSuite(NEST);

describe('parameters of a handler of Nest', () => {
  const tenants = new TenantsByHost(async (host) => ({ id: host }));

  @Controller()
  class Orders {
    @Post('orders')
    @Deadline({ timeout: '1m' })
    @Transactional('primary')
    async create(
      @Body() { id }: { id: number },
      @CurrentTransaction('primary') tx: ConnectionTransaction,
      @RequestSignal() signal: AbortSignal,
      @CurrentTenant(tenants) tenant: { id: string },
    ) {
      await tx.execute('create table orders (id integer, tenant text)');
      await tx.execute('insert into orders values (?, ?)', [id, tenant.id]);
      return { tenant, aborted: signal.aborted };
    }

    @Get('orders')
    list(@CurrentTransaction('primary') tx: ConnectionTransaction) {
      return tx.query('select 1');
    }
  }

  it('are its transaction, its signal and its tenant', async () => {
    const manager = ConnectionManager.from({ connections: { primary: { type: 'sqlite', filepath: ':memory:' } } });
    const primary = manager.get('primary');
    @Module({ imports: [DbManagerModule.forRootAsync({ useFactory: () => manager })], controllers: [Orders] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false });
    app.use(expressTenant(tenants));
    const { close } = await serveNest(app);
    const url = `${await app.getUrl()}/orders`;

    const body = JSON.stringify({ id: 7 });
    const created = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    await expect(created.json()).resolves.toEqual({ tenant: { id: '127.0.0.1' }, aborted: false });
    const rows = await primary.database().query('select id, tenant from orders');
    expect(rows).toEqual([{ id: 7, tenant: '127.0.0.1' }]);
    // Not marked as transactional: it is told so, rather than handed nothing.
    expect((await fetch(url)).status).toBe(500);

    await close();
    const { created: made, destroyed } = primary.stats().pool;
    expect(made).toBe(destroyed);
  });
});

it('Nest does not start with a transaction of requests whose options cannot be meant', async () => {
  @Controller()
  class Orders {
    @Get('orders')
    @Transactional('primary', { isolation: 'serialisable' as never })
    list() {}
  }
  const manager = ConnectionManager.from({ connections: { primary: { type: 'sqlite', filepath: ':memory:' } } });
  @Module({ imports: [DbManagerModule.forRootAsync({ useFactory: () => manager })], controllers: [Orders] })
  class AppModule {}
  const started = NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await expect(started).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'isolation' });
  await manager.close();
});

it('Nest has its interceptors come to an end at the deadline, although the handler does not', async () => {
  const clock = new FakeClock();
  const response = Object.assign(new EventEmitter(), { getHeaders: () => ({}), destroyed: true });
  const context = { switchToHttp: () => ({ getRequest: () => ({}), getResponse: () => response }) };
  const interceptor = new DeadlineInterceptor({ timeout: '5s', clock });
  const ended = lastValueFrom(interceptor.intercept(context as unknown as ExecutionContext, { handle: () => NEVER }));
  const late = expect(ended).rejects.toMatchObject({ code: 'DBM_REQUEST_TIMEOUT', status: 503 });
  await clock.advance(5_000);
  await late;
});
