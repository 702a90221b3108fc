import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DbManagerError } from '@dbmanager/core';
import { expect, it } from '@jest/globals';
import express, { type ErrorRequestHandler } from 'express';
import { listening } from '../test/listening.js';
import { expressTransaction } from './express.js';
import type { RequestConnection } from './request-transaction.js';

it('Express tells its error handlers of a transaction that was over before its handler when the answer is out', async () => {
  const over = new DbManagerError('DBM_TRANSACTION_TIMEOUT', 'too slow');
  const connection: RequestConnection<object> = {
    async transaction(_options, work) {
      void work({});
      throw over;
    },
    begin: () => Promise.reject(over),
  };
  const told = Promise.withResolvers<{ readonly error: unknown; readonly answered: boolean }>();
  const middleware = expressTransaction(connection);
  const server = createServer((request, response) =>
    middleware(request, response, (error) => {
      // Called for the handler, too, which does nothing.
      if (error !== undefined) told.resolve({ error, answered: response.writableFinished });
    }),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  expect(response.status).toBe(503);
  await expect(told.promise).resolves.toEqual({ error: over, answered: true });

  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

it('Express cuts off an answer whose handler fails between its first byte and its last, whatever an error handler adds', async () => {
  const connection: RequestConnection<object> = {
    transaction: (_options, work) => work({}),
    begin: async () => ({}),
  };
  const app = express().set('env', 'test');
  app.get('/', expressTransaction(connection), (_request, response) => {
    response.write('half of it');
    throw new Error('the other half is not to be had');
  });
  const asIfNothingWasSent: ErrorRequestHandler = (_error, _request, response, _next) => {
    response.status(500).json({ handled: true });
  };
  app.use(asIfNothingWasSent);
  const { server, close } = await listening(createServer(app));

  const { port } = server.address() as AddressInfo;
  const answer = fetch(`http://127.0.0.1:${port}`).then((response) => response.text());
  await expect(answer).rejects.toThrow();

  await close();
});
