import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { describeWithFerretdb, describeWithMongodb, sharedMongodb } from './describe-with-mongodb.js';
import { FerretdbServer } from './ferretdb-server.js';
import { MongodbEndpoint } from './mongodb-endpoint.js';
import { MongodbStandIn } from './mongodb-stand-in.js';

describeWithMongodb('a MongoDB for tests', (mongodb) => {
  it('is one server for the whole run', async () => {
    expect((await sharedMongodb()).url()).toBe(mongodb().url());
  });

  it('has users who log in to a database of their own', async () => {
    const { host, port } = mongodb();
    const database = mongodb().newDatabase();
    await mongodb().setUser('ada', 'one', database);
    await mongodb().setUser('ada', 'two', database);
    const client = new MongoClient(`mongodb://ada:two@${host}:${port}/${database}`);
    await client.db().command({ ping: 1 });
    await client.close();
    await mongodb().dropUser('ada', database);
    await mongodb().dropDatabase(database);
  });
});

describeWithFerretdb('a FerretDB of a test’s own', () => {
  it('keeps its data and port over a crash, and leaves nothing behind when closed', async () => {
    const server = await FerretdbServer.start();
    const admin = new MongodbEndpoint(server.url());
    await admin.command({ insert: 'kept', documents: [{ n: 1 }] }, 'test');
    await server.stop('immediate');
    expect(server.running).toBe(false);
    await server.start();
    expect(await admin.command({ count: 'kept' }, 'test')).toMatchObject({ n: 1 });
    expect(await admin.version()).toMatch(/^FerretDB v1/);
    await server.close();
    expect(existsSync(server.folder)).toBe(false);
  });
});

describe('the URL of a server', () => {
  it.each([
    ['mongodb://u:p%40@a:1/x?authSource=admin', 'mongodb://u:p%40@a:1/app?authSource=admin'],
    ['mongodb://u:p@a:1,b:2/?replicaSet=rs0', 'mongodb://u:p@a:1,b:2/app?replicaSet=rs0'],
    ['mongodb://u:p@a', 'mongodb://u:p@a/app'],
  ])('%s becomes that of a database', (url, expected) => {
    expect(new MongodbEndpoint(url).url('app')).toBe(expected);
    expect(new MongodbEndpoint(url)).toMatchObject({ host: 'a', user: 'u' });
  });
});

describe('the stand-in for MongoDB', () => {
  let server: MongodbStandIn;
  const client = () => new MongoClient(`mongodb://${server.address}/app?directConnection=true`);
  afterEach(() => server.close());

  it('speaks the protocol with the driver, and remembers what it was sent', async () => {
    server = await MongodbStandIn.start();
    await using driver = client();
    await driver
      .db()
      .collection('a')
      .insertMany([{ n: 1 }, { n: 2 }]);
    expect(await driver.db().collection('a').find().toArray()).toEqual([]);
    expect(server.names).toEqual(['insert', 'find']);
    expect(server.commands[0]?.document).toMatchObject({ insert: 'a', $db: 'app', documents: [{ n: 1 }, { n: 2 }] });
  });

  it('fails the next command of a name, once', async () => {
    server = await MongodbStandIn.start('standalone');
    server.failNext('insert', { code: 11_000, errmsg: 'duplicate' });
    await using driver = client();
    const documents = driver.db().collection('a');
    await expect(documents.insertOne({})).rejects.toMatchObject({ code: 11_000 });
    await documents.insertOne({});
  });

  it('cuts its sockets, and takes new ones', async () => {
    server = await MongodbStandIn.start();
    await using driver = client();
    await driver.db().collection('a').findOne();
    expect(server.live).toBeGreaterThan(0);
    server.cut();
    await driver.db().collection('a').findOne();
  });
});
