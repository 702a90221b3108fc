import { ConnectionManager, ManagedConnection, type Provider, resolveConfig } from '@dbmanager/core';
import { mongoClient, mongodbProvider, mongodbTransaction } from '@dbmanager/provider-mongodb';
import { describeWithMongodb, MongodbStandIn } from '@dbmanager/testkit';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { EntitySchema, type ObjectId } from '@mikro-orm/mongodb';
import { mikroOrmBridge } from './mikro-orm-bridge.js';
import type { MongoMikroOrm } from './mongodb-mikro-orm.js';

class Author {
  _id!: ObjectId;
  id!: string;
  name!: string;
  born?: Date;
}

const AuthorSchema = new EntitySchema<Author>({
  class: Author,
  properties: {
    _id: { type: 'ObjectId', primary: true },
    id: { type: 'string', serializedPrimaryKey: true },
    name: { type: 'string' },
    born: { type: 'Date', nullable: true },
  },
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

async function openOrm(connection: ManagedConnection, key = 'default'): Promise<MongoMikroOrm> {
  return (await connection.use(mikroOrmBridge, { entities: [AuthorSchema] }, key)) as unknown as MongoMikroOrm;
}

describeWithMongodb('MikroORM on MongoDB', (mongodb) => {
  afterAll(async () => {
    await mongodb().dropDatabase('mikro_orm');
  });

  const url = () => mongodb().url('mikro_orm');

  it('works with entities, on the client that all share', async () => {
    const connection = await connect(url());
    const { created } = connection.stats().pool;
    const orm = await openOrm(connection);
    const em = orm.em.fork();
    const born = new Date('1907-11-14T00:00:00.000Z');
    const author = em.create(Author, { name: 'Astrid', born } as Author);
    await em.flush();
    const found = await orm.em.fork().findOneOrFail(Author, { name: 'Astrid' });
    expect(found).toMatchObject({ id: author.id, born });
    expect(await mongoClient(connection).db().collection('author').countDocuments({ _id: found._id })).toBe(1);
    await orm.em.fork().nativeDelete(Author, {});
    expect(connection.stats().pool.created - created).toBeLessThanOrEqual(1);
    expect(await orm.isConnected()).toBe(true);
  });

  it('only detaches when it is closed, and comes back when it is used', async () => {
    const connection = await connect(url());
    const [first, second] = [await openOrm(connection), await openOrm(connection, 'second')];
    await first.close();
    await second.em.fork().count(Author);
    await mongoClient(connection).db().command({ ping: 1 });
    await first.em.fork().count(Author);
    expect(connection.stats().pool.closedBy.close).toBe(0);
  });

  it('is refused what would open a client of its own', async () => {
    const connection = await connect(url());
    const open = connection.use(mikroOrmBridge, { clientUrl: 'mongodb://elsewhere/x' } as never, 'refused');
    await expect(open).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'clientUrl' });
  });
});

describe('MikroORM’s transactions on MongoDB', () => {
  async function onStandIn(role?: MongodbStandIn['role']) {
    const server = await MongodbStandIn.start(role);
    opened.push(server);
    const connection = await connect(`mongodb://${server.address}/app?directConnection=true`);
    const orm = await openOrm(connection);
    server.commands.length = 0;
    return { server, connection, orm };
  }

  const inserted = { name: 'Astrid' } as Author;

  it('are the driver’s', async () => {
    const { server, orm } = await onStandIn();
    await orm.em.fork().transactional(async (em) => {
      em.create(Author, inserted);
    });
    expect(server.names).toEqual(['insert', 'commitTransaction']);
    expect(server.commands[0]?.document).toMatchObject({ startTransaction: true });
  });

  it('can be those of others, by their session', async () => {
    const { server, connection, orm } = await onStandIn();
    await mongodbTransaction(connection, async (session, client) => {
      const em = orm.em.fork();
      em.setTransactionContext(session);
      em.create(Author, inserted);
      await em.flush();
      await client.db().collection('log').insertOne({}, { session });
    });
    expect(server.names).toEqual(['insert', 'insert', 'commitTransaction']);
    const [first, second] = server.commands;
    expect(second?.document.txnNumber).toEqual(first?.document.txnNumber);
  });

  it('are refused where the server has none', async () => {
    const { server, orm } = await onStandIn('standalone');
    const transaction = orm.em.fork().transactional(async (em) => {
      em.create(Author, inserted);
    });
    await expect(transaction).rejects.toMatchObject({ code: 'DBM_UNSUPPORTED' });
    expect(server.names).toEqual([]);
  });
});
