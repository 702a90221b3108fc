/**
 * Find by key and insert on MongoDB: the client that the manager gives, against a MongoClient alone. Ten connections each, at
 * 1, 32 and 256 callers.
 *
 * Without a `mongod`, or `DBMANAGER_TEST_MONGODB_URL`, the server is FerretDB on SQLite, whose inserts queue for one writer.
 */
import { sharedMongodb } from '@dbmanager/testkit';
import { MongoClient } from 'mongodb';
import { CONNECTIONS, measureQueries, type Operations } from './support/query-bench.ts';

/** Few: FerretDB has no index on keys. */
const ROWS = 100;

interface Item {
  readonly _id: string;
  readonly name: string;
}

/** As text: with keys of another type FerretDB reads every document by itself. */
const keyOf = (id: number) => `key ${id}`;

const server = await sharedMongodb();
const database = server.newDatabase();
const url = server.url(database);
const version = await server.version();

const operations = (client: Pick<MongoClient, 'db'>): Operations => {
  const items = client.db(database).collection<Item>('items');
  const log = client.db(database).collection('log');
  return {
    select: (id) => items.findOne({ _id: keyOf(id) }),
    insert: (item) => log.insertOne({ item, note: 'a note' }),
  };
};

await using admin = new MongoClient(url);
const items = Array.from({ length: ROWS }, (_, index) => ({ _id: keyOf(index + 1), name: `item ${index + 1}` }));
await admin.db(database).collection<Item>('items').insertMany(items);

try {
  await measureQueries({
    engine: version.startsWith('FerretDB') ? 'FerretDB' : 'MongoDB',
    version,
    rows: ROWS,
    config: { type: 'mongodb', dsn: url },
    rounds: 15,
    operations: 400,
    ways: [
      {
        name: 'native',
        alone: 'MongoClient alone',
        async own() {
          const client = await new MongoClient(url, { maxPoolSize: CONNECTIONS }).connect();
          return { ...operations(client), close: () => client.close() };
        },
        managed: (connection) => operations(connection.mongodb()),
      },
    ],
  });
} finally {
  await server.dropDatabase(database);
}
