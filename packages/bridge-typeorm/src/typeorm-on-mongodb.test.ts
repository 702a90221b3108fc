import { ConnectionManager, ManagedConnection, type Provider, resolveConfig } from '@dbmanager/core';
import { mongoClient, mongodbProvider, mongodbTransaction } from '@dbmanager/provider-mongodb';
import { describeWithMongodb, MongodbStandIn } from '@dbmanager/testkit';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import type { ObjectId } from 'mongodb';
import { type DataSource, EntitySchema } from 'typeorm';
import { typeormBridge } from './typeorm-bridge.js';

interface Author {
  id: ObjectId;
  name: string;
}

const AuthorSchema = new EntitySchema<Author>({
  name: 'Author',
  tableName: 'authors',
  columns: { id: { type: 'string', objectId: true, primary: true, generated: true }, name: { type: 'string' } },
});

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

async function connect(dsn: string): Promise<ManagedConnection> {
  const providers = [mongodbProvider as Provider];
  const { config } = resolveConfig({ connections: { docs: { type: 'mongodb', dsn } } }, { providers });
  const mgr = new ConnectionManager(config, {
    providers,
    createConnection: (setup) => new ManagedConnection(setup),
  });
  opened.push(mgr);
  await mgr.connect();
  return mgr.get('docs');
}

function openDataSource(connection: ManagedConnection, key = 'default'): Promise<DataSource> {
  return connection.use(typeormBridge, { entities: [AuthorSchema] }, key);
}

describeWithMongodb('TypeORM on MongoDB', (mongodb) => {
  afterAll(async () => {
    await mongodb().dropDatabase('typeorm');
  });

  const url = () => mongodb().url('typeorm');

  it('works with entities, on the client that all share', async () => {
    const connection = await connect(url());
    const { created } = connection.stats().pool;
    const dataSource = await openDataSource(connection);
    const authors = dataSource.getMongoRepository(AuthorSchema);
    const saved = await authors.save({ name: 'Astrid' });
    expect(await authors.findOneBy({ name: 'Astrid' })).toMatchObject({ id: saved.id });
    expect(await dataSource.mongoManager.count(AuthorSchema)).toBe(1);
    expect(await mongoClient(connection).db().collection('authors').countDocuments()).toBe(1);
    await authors.deleteMany({});
    expect(connection.stats().pool.created - created).toBeLessThanOrEqual(1);
  });

  it('only detaches when it is destroyed, and attaches again', async () => {
    const connection = await connect(url());
    const [first, second] = [await openDataSource(connection), await openDataSource(connection, 'second')];
    await first.destroy();
    await second.getMongoRepository(AuthorSchema).count();
    await mongoClient(connection).db().command({ ping: 1 });
    await first.initialize();
    await first.getMongoRepository(AuthorSchema).count();
    expect(connection.stats().pool.closedBy.close).toBe(0);
  });

  it.each(['url', 'host', 'replicaSet', 'poolSize', 'extra', 'tls'])('refuses the option %s', async (option) => {
    const connection = await connect(url());
    const open = async () => connection.use(typeormBridge, { [option]: 'x' } as never, option);
    await expect(open()).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
  });

  it('has one query runner, and transactions that are none', async () => {
    const dataSource = await openDataSource(await connect(url()));
    expect(dataSource.createQueryRunner()).toBe(dataSource.createQueryRunner());
    const authors = dataSource.getMongoRepository(AuthorSchema);
    const failure = new Error('of the caller');
    const transaction = dataSource.transaction(async () => {
      await authors.save({ name: 'stays' });
      throw failure;
    });
    await expect(transaction).rejects.toBe(failure);
    expect(await authors.count()).toBe(1);
    await authors.deleteMany({});
  });
});

describe('TypeORM in a transaction of the driver', () => {
  it('takes part with what is given its session', async () => {
    const server = await MongodbStandIn.start();
    opened.push(server);
    const connection = await connect(`mongodb://${server.address}/app?directConnection=true`);
    const authors = (await openDataSource(connection)).getMongoRepository(AuthorSchema);
    server.commands.length = 0;
    await mongodbTransaction(connection, async (session) => {
      await authors.insertOne({ name: 'Astrid' }, { session } as never);
    });
    expect(server.names).toEqual(['insert', 'commitTransaction']);
  });
});
