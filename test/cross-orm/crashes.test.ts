import { type Faults, withFaults } from '@dbmanager/testing';
import * as jest from '@jest/globals';
import { type Connection, ConnectionManager, PROVIDERS } from 'dbmanager';
import { ALL_SQL_ENGINES, rejection, type SqlDatabase, until } from '../support/sql-engines.js';
import { entry } from './bank.js';
import { type Hands, TABLES } from './hands.js';
import { engineOf, participantsOn } from './participants.js';

const { afterAll, afterEach, beforeAll, expect, it } = jest;

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('a server that crashes when the test says so', () => {
    const orms = participantsOn(engine).map(({ name }) => name);
    const open = new Map<string, Hands>();
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: Connection;
    let faults: Faults;

    beforeAll(async () => {
      database = await engine.create();
      const real = PROVIDERS.find(({ type }) => type === engine.name);
      if (real === undefined) throw new TypeError(`no provider of ${engine.name}`);
      const faulty = withFaults(real);
      faults = faulty.faults;
      const config = database.config({ maxOpenConns: 3, acquireTimeoutMs: 20_000, startup: 'required' });
      manager = new ConnectionManager(
        { defaultConnection: undefined, connections: [config] },
        { providers: [faulty.provider] },
      );
      await manager.connect();
      connection = manager.get('test');
      for (const sql of TABLES[engineOf(connection)]) await connection.database().execute(sql);
      for (const { name, open: opened } of participantsOn(engine)) open.set(name, (await opened(connection)).hands);
    });
    afterEach(async () => {
      faults.reset();
      await connection.database().execute('delete from entries');
    });
    afterAll(async () => {
      await manager.close();
      await database.drop();
      expect(connection.stats().pool.destroyed).toBe(connection.stats().pool.created);
    });
    const hands = (name: string) => {
      const found = open.get(name);
      if (found === undefined) throw new TypeError(`no ORM ${name}`);
      return found;
    };

    it.each(orms)('%s is told of an INSERT that was lost, and goes on after it', async (name) => {
      const { destroyed } = connection.stats().pool;
      faults.crashAt(/insert into .?(?:test..)?entries/i);
      await rejection(hands(name).insert(entry(1, name)));
      await until(() => connection.stats().pool.destroyed > destroyed);
      expect(await hands(name).entries()).toEqual([]);
      await hands(name).insert(entry(2, name));
      expect((await hands(name).entries()).map(({ id }) => id)).toEqual([2]);
    });

    it.each(orms)('%s is told of a COMMIT of its own that was lost, and goes on after it', async (name) => {
      faults.crashAt(/^\s*commit/i);
      const work = hands(name).transaction((inner) => inner.insert(entry(1, name)));
      await rejection(work);
      await hands(name).transaction((inner) => inner.insert(entry(2, name)));
      expect((await hands(name).entries()).map(({ id }) => id)).toContain(2);
    });
  });
}
