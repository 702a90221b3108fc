import { DbManagerError } from '@dbmanager/core';
import { expect, it } from '@jest/globals';
import fastify from 'fastify';
import { fastifyTransaction } from './fastify.js';
import type { RequestConnection } from './request-transaction.js';

it('Fastify has one transaction for a request where its hooks are mounted on the instance and on the route, and answers for its failure', async () => {
  let begun = 0;
  const connection: RequestConnection<object> = {
    async transaction(_options, work) {
      // As a database that is asked to begin.
      await Promise.resolve();
      begun++;
      await work({});
      throw new DbManagerError('DBM_FOREIGN_KEY_VIOLATION', 'refused');
    },
    begin: async () => ({}),
  };
  const hooks = fastifyTransaction(connection);
  const app = fastify();
  app.addHook('preHandler', hooks.preHandler);
  app.addHook('onSend', hooks.onSend);
  app.addHook('onError', hooks.onError);
  app.get('/', { ...hooks }, async () => ({ secret: 'of the handler' }));

  const response = await fetch(await app.listen({ port: 0, host: '127.0.0.1' }));
  expect(response.status).toBe(500);
  await expect(response.text()).resolves.not.toContain('secret');
  expect(begun).toBe(1);

  app.server.closeAllConnections();
  await app.close();
});
