import { type Connection, type ConnectionManager, createRequestListener, isDbManagerError } from 'dbmanager';
import { and, eq, gte, sql } from 'drizzle-orm';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { stock } from './schema.ts';

class OutOfStock extends Error {}

/** The shop: Drizzle for its stock, Knex for its orders, both on the one pool of the connection `shop`. */
export function createApp(mgr: ConnectionManager, shutdown: AbortSignal): Express {
  const shop = mgr.get('shop');
  const app = express();
  // /metrics, /health, /health/live and /health/ready
  app.use(createRequestListener({ manager: mgr, metrics: mgr.metrics(), shutdown }));
  app.use(express.json());

  app.get('/stock', async (_request, response) => {
    response.json(await shop.drizzle('sqlite').select().from(stock));
  });

  app.post('/orders', async (request, response) => {
    const { item, quantity } = request.body as { readonly item: string; readonly quantity: number };
    response.status(201).json({ id: await order(shop, item, quantity) });
  });

  app.get('/orders', async (_request, response) => {
    response.json(await shop.knex()('orders').select('item').sum('quantity as quantity').groupBy('item'));
  });

  app.use(answerErrors);
  return app;
}

/** Takes from the stock by Drizzle and writes the order by Knex: both, or neither. */
function order(shop: Connection, item: string, quantity: number): Promise<number> {
  return shop.transaction({ timeout: '2s' }, async (tx) => {
    const [id] = await tx.knex()('orders').insert({ item, quantity });
    const { changes } = await tx
      .drizzle('sqlite')
      .update(stock)
      .set({ left: sql`${stock.left} - ${quantity}` })
      .where(and(eq(stock.item, item), gte(stock.left, quantity)));
    if (changes === 0) throw new OutOfStock(`not enough of ${item}`);
    return id as number;
  });
}

/** What is worth repeating is 503; no message of a database gets out. */
const answerErrors: ErrorRequestHandler = (error, _request, response, _next) => {
  if (error instanceof OutOfStock) response.status(409).json({ error: error.message });
  else if (isDbManagerError(error)) response.status(error.retryable ? 503 : 500).json({ error: error.code });
  else response.status(500).json({ error: 'internal' });
};
