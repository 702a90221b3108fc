import { describeWithMongodb } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/core';
import { Kysely } from 'kysely';
import type { Connection } from './connection.js';
import { ConnectionManager } from './connection-manager.js';

interface Tables {
  note: { id: number; text: string };
}

const Note = defineEntity({ name: 'Note', properties: { id: p.integer().primary(), text: p.text() } });

describe('Kysely and MikroORM of a connection', () => {
  let manager: ConnectionManager;
  let primary: Connection;

  async function connect(settings: { readonly ambientTransactions?: boolean } = {}): Promise<void> {
    manager = ConnectionManager.from({ connections: { primary: { type: 'sqlite', filepath: ':memory:' } } }, settings);
    await manager.connect();
    primary = manager.get('primary');
    const orm = await primary.mikroorm({ entities: [Note] });
    await orm.schema.create();
  }

  const texts = async () =>
    (await primary.kysely<Tables>().selectFrom('note').select('text').execute()).map((row) => row.text);

  beforeEach(() => connect());

  afterEach(async () => {
    await manager.close();
    const { created, destroyed } = primary.stats().pool;
    expect(destroyed).toBe(created);
  });

  it('are the same each time, and others by name', async () => {
    const db = primary.kysely();
    expect(db).toBeInstanceOf(Kysely);
    expect(primary.kysely()).toBe(db);
    expect(primary.kysely({ name: 'other', plugins: [] })).not.toBe(db);
    expect(primary.kysely({ name: 'other' })).toBe(primary.kysely({ name: 'other' }));
    const orm = await primary.mikroorm();
    expect(await primary.mikroorm({ entities: [Note] })).toBe(orm);
    const other = await primary.mikroorm({ name: 'other', entities: [Note] });
    expect(other).not.toBe(orm);
    expect(await primary.mikroorm({ name: 'other' })).toBe(other);
  });

  it('share a transaction, and its rollback', async () => {
    const work = async (fails: boolean) =>
      primary.transaction(async (tx) => {
        tx.mikroorm().create(Note, { id: 1, text: 'by MikroORM' });
        await tx.mikroorm().flush();
        await tx.kysely<Tables>().insertInto('note').values({ id: 2, text: 'by Kysely' }).execute();
        await expect(tx.mikroorm().count(Note)).resolves.toBe(2);
        if (fails) throw new Error('no');
      });
    await expect(work(true)).rejects.toThrow('no');
    await expect(texts()).resolves.toEqual([]);
    await work(false);
    await expect(texts()).resolves.toEqual(['by MikroORM', 'by Kysely']);
  });

  it('are those of the ambient transaction, where it is asked for', async () => {
    await manager.close();
    await connect({ ambientTransactions: true });
    const outside = await primary.mikroorm();
    const failed = primary.transaction(async (tx) => {
      expect(primary.kysely()).toBe(tx.kysely());
      const orm = await primary.mikroorm();
      expect(orm.em).toBe(tx.mikroorm());
      expect(orm.getMetadata()).toBe(outside.getMetadata());
      orm.em.create(Note, { id: 1, text: 'ambient' });
      await orm.em.flush();
      await expect(texts()).resolves.toEqual(['ambient']);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await primary.mikroorm()).toBe(outside);
    await expect(texts()).resolves.toEqual([]);
  });
});

describeWithMongodb('MikroORM of a connection to MongoDB', (server) => {
  const Article = defineEntity({
    name: 'Article',
    properties: { _id: p.type('ObjectId').primary(), title: p.text() },
  });

  it('is asked for by the type, and works on the one client', async () => {
    const database = server().newDatabase();
    const manager = ConnectionManager.from({
      connections: { documents: { type: 'mongodb', dsn: server().url(database) } },
    });
    await manager.connect();
    try {
      const documents = manager.get('documents');
      const orm = await documents.mikroorm('mongodb', { entities: [Article] });
      expect(await documents.mikroorm('mongodb')).toBe(orm);
      await orm.em.fork().insert(Article, { title: 'Pools' });
      expect(await documents.mongodb().db().collection('article').findOne()).toMatchObject({ title: 'Pools' });
    } finally {
      await manager.close();
      await server().dropDatabase(database);
    }
  });
});
