import { describeWithMongodb } from '@dbmanager/testkit';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { EntitySchema as MikroOrmEntity } from '@mikro-orm/mongodb';
import { SpanStatusCode } from '@opentelemetry/api';
import { type Connection, ConnectionManager } from 'dbmanager';
import { EntitySchema } from 'typeorm';
import { SpanRecorder } from '../support/span-recorder.js';
import { rejection } from '../support/sql-engines.js';

const DATABASE = 'observability';

class Item {
  _id!: number;
  name!: string;
}

const ITEMS = new MikroOrmEntity<Item>({
  class: Item,
  collection: 'items',
  properties: { _id: { type: 'number', primary: true }, name: { type: 'string' } },
});

const TYPEORM_ITEMS = new EntitySchema<Item>({
  name: 'Item',
  tableName: 'items',
  columns: { _id: { type: 'int', primary: true }, name: { type: 'string' } },
});

/** Reads all items, by one operation. */
const DOORS: Readonly<Record<string, (connection: Connection) => Promise<() => Promise<unknown>>>> = {
  async MongoClient(connection) {
    const client = connection.mongodb();
    return () =>
      client
        .db()
        .collection('items')
        .find({ name: { $ne: 's3cret' } })
        .toArray();
  },
  async MikroORM(connection) {
    const orm = await connection.mikroorm('mongodb', { entities: [ITEMS] });
    return () => orm.em.fork().find(Item, { name: { $ne: 's3cret' } });
  },
  async TypeORM(connection) {
    const dataSource = await connection.typeorm({ entities: [TYPEORM_ITEMS] });
    return () => dataSource.getMongoRepository(TYPEORM_ITEMS).find({ where: { name: { $ne: 's3cret' } } });
  },
};

describeWithMongodb('Operations through every door, observed', (mongodb) => {
  let recorder: SpanRecorder;
  let manager: ConnectionManager;
  let connection: Connection;

  beforeAll(async () => {
    recorder = new SpanRecorder();
    const docs = { type: 'mongodb', dsn: mongodb().url(DATABASE), enable_tracing: true };
    manager = ConnectionManager.from({ connections: { docs } });
    await manager.connect();
    connection = manager.get('docs');
    const items = connection.mongodb().db().collection<Item>('items');
    await items.insertMany([1, 2, 3].map((_id) => ({ _id, name: `item ${_id}` })));
  });

  afterAll(async () => {
    await mongodb().dropDatabase(DATABASE);
    await manager?.close();
    await recorder?.shutdown();
  });

  it.each(Object.keys(DOORS))(
    'seeds 4: Tracing: an operation through %s is one span without its values',
    async (name) => {
      const read = await (DOORS[name] as (typeof DOORS)[string])(connection);
      await read();
      const [span, ...others] = await recorder.during(read);
      expect(others).toEqual([]);
      expect(span?.name).toBe('find items');
      expect(span?.attributes).toMatchObject({
        'db.system.name': 'mongodb',
        'db.operation.name': 'find',
        'db.collection.name': 'items',
        'db.response.returned_rows': 3,
      });
      expect(JSON.stringify(span?.attributes)).not.toContain('s3cret');
    },
  );

  it('a write that the server refuses is a span with its code', async () => {
    const items = connection.mongodb().db().collection<Item>('items');
    const [span] = await recorder.during(() => rejection(items.insertOne({ _id: 1, name: 's3cret' })));
    expect(span?.name).toBe('insert items');
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span?.attributes['db.response.status_code']).toBe('11000');
    expect(JSON.stringify(span?.attributes)).not.toContain('s3cret');
  });

  it('health checks are no operations', async () => {
    await expect(recorder.during(() => connection.healthCheck())).resolves.toEqual([]);
  });

  it('counts operations by collection', () => {
    const series = connection.stats().statements?.series.find(({ operation }) => operation === 'find');
    expect(series).toMatchObject({ operation: 'find', collection: 'items' });
    expect(series?.duration.count).toBeGreaterThan(0);
  });
});
