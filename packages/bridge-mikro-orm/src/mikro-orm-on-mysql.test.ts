/** @jest-environment ./test/support/new-york-environment.js */
import type { BridgeTarget } from '@dbmanager/core';
import { mariadbProvider, mysqlProvider } from '@dbmanager/provider-mysql';
import { TestConnection, testConfig, testContext } from '@dbmanager/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/core';
import mysql, { type Pool } from 'mysql2';
import { bridgeTarget, MARIADB, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { mikroOrmBridge } from './mikro-orm-bridge.js';
import type { SqlMikroOrm } from './mikro-orm-module.js';
import type { MikroOrmBridgeOptions } from './mikro-orm-options.js';

const AT = new Date('2024-07-01T12:34:56.789Z');
const JSON_VALUE = { deep: [1, null, "O'Brien"] };

const Event = defineEntity({
  name: 'Event',
  properties: {
    id: p.integer().primary(),
    at: p.datetime().length(3),
    stamp: p.datetime().columnType('timestamp(3)'),
    json: p.json<unknown>(),
  },
});
const Counted = defineEntity({
  name: 'Counted',
  properties: { id: p.bigint().primary().autoincrement(), name: p.string().unique() },
});
const entities = [Event, Counted];

MARIADB.describe('MikroORM, for what only MySQL has,', () => {
  let database: SqlDatabase;

  /** Opens MikroORM on `connection` for the time of `work`. */
  async function withOrm(
    connection: TestConnection<unknown>,
    options: MikroOrmBridgeOptions,
    work: (orm: SqlMikroOrm, target: BridgeTarget) => Promise<void>,
  ): Promise<void> {
    await using closing = connection;
    const target = bridgeTarget(closing);
    await work(await mikroOrmBridge.open(target, { entities, ...options } as MikroOrmBridgeOptions), target);
    await until(() => target.counts.inUse === 0);
  }

  /** Writes an event by MikroORM, and reads it by MikroORM, and by mysql2 on the same pool. */
  async function writeAndRead(orm: SqlMikroOrm, target: BridgeTarget) {
    const em = orm.em.fork();
    await em.insert(Event, { id: 1, at: AT, stamp: AT, json: JSON_VALUE });
    const { at, stamp, json } = await orm.em.fork().findOneOrFail(Event, 1);
    const pool = target.engine.native?.(target) as Pool;
    const [[byDriver]] = (await pool.promise().query('select at, stamp from event')) as unknown as [[object]];
    return { byMikroOrm: { at, stamp }, json, byDriver };
  }

  beforeAll(async () => {
    database = await MARIADB.create();
    await withOrm(await database.open({ maxOpenConns: 1 }), {}, (orm) => orm.schema.create());
  }, 60_000);
  afterAll(() => database.drop());

  beforeEach(async () => {
    await withOrm(await database.open({ maxOpenConns: 1 }), {}, async (orm) => {
      await orm.em.fork().nativeDelete(Event, {});
      await orm.em.fork().nativeDelete(Counted, {});
    });
  });

  const same = { at: AT, stamp: AT };

  it.each(['Z', '+02:00', '-03:30', 'local'])(
    'writes dates as everybody else on the connection does, whose time zone is %s',
    async (timezone) => {
      expect(AT.getTimezoneOffset()).not.toBe(0);
      await withOrm(await database.open({ timezone }), {}, async (orm, target) => {
        const read = await writeAndRead(orm, target);
        expect(read).toEqual({ byMikroOrm: same, byDriver: same, json: JSON_VALUE });
      });
    },
  );

  it('does so in the time zone of an adopted pool', async () => {
    const { dsn } = database.config({}).options as unknown as { readonly dsn: { reveal(): string } };
    const pool = mysql.createPool({ uri: dsn.reveal(), timezone: '+05:00', connectionLimit: 2 });
    const config = testConfig(mariadbProvider);
    const engine = await mariadbProvider.adopt?.(pool, config, testContext);
    const adopted = new TestConnection(engine as never, config, testContext) as TestConnection<unknown>;
    await withOrm(adopted, {}, async (orm, target) => {
      const read = await writeAndRead(orm, target);
      expect(read).toEqual({ byMikroOrm: same, byDriver: same, json: JSON_VALUE });
    });
    await pool.promise().end();
  });

  it('writes them in a time zone of its own when it is told to', async () => {
    const connection = await database.open({ timezone: '+02:00' });
    await withOrm(connection, { forceUtcTimezone: true }, async (orm, target) => {
      const { byMikroOrm, byDriver } = await writeAndRead(orm, target);
      expect(byMikroOrm).toEqual(same);
      const shifted = new Date(AT.getTime() - 2 * 3_600_000);
      expect(byDriver).toEqual({ at: shifted, stamp: shifted });
    });
  });

  it.each([mariadbProvider, mysqlProvider])(
    'gives JSON back as it was, whatever it looks like: $type',
    async (provider) => {
      const { dsn } = database.config({}).options as { readonly dsn?: never };
      const connection = (await TestConnection.open(provider, { dsn: dsn as never })) as TestConnection<unknown>;
      await withOrm(connection, {}, async (orm) => {
        const values = ['text', '7', 'null', '{"a":1}', 7, true, [], { deep: ['7'] }];
        await orm.em.fork().insertMany(
          Event,
          values.map((json, index) => ({ id: index + 1, at: AT, stamp: AT, json })),
        );
        const found = await orm.em.fork().find(Event, {}, { orderBy: { id: 1 } });
        expect(found.map(({ json }) => json)).toEqual(values);
      });
    },
  );

  it('runs on the type mysql as well', async () => {
    const { dsn } = database.config({}).options as { readonly dsn?: never };
    const connection = (await TestConnection.open(mysqlProvider, { dsn: dsn as never })) as TestConnection<unknown>;
    await withOrm(connection, {}, async (orm, target) => {
      expect(target.type).toBe('mysql');
      const read = await writeAndRead(orm, target);
      expect(read).toEqual({ byMikroOrm: same, byDriver: same, json: JSON_VALUE });
    });
  });

  it('knows the keys that the database has counted up', async () => {
    await withOrm(await database.open({}), {}, async (orm) => {
      const em = orm.em.fork();
      const made = ['a', 'b', 'c'].map((name) => em.create(Counted, { name }));
      await em.flush();
      const found = await orm.em.fork().find(Counted, {}, { orderBy: { id: 1 } });
      expect(found.map(({ id, name }) => ({ id, name }))).toEqual(
        made.map(({ id, name }) => ({ id: BigInt(id), name })),
      );
    });
  });

  it('runs nothing outside a transaction that a deadlock has ended, and does not report it as committed', async () => {
    await withOrm(await database.open({ maxOpenConns: 4 }), {}, async (orm) => {
      const deadlock = `begin not atomic signal sqlstate '40001' set mysql_errno = 1213; end`;
      const work = orm.em.fork().transactional(async (em) => {
        await em.insert(Counted, { name: 'before' });
        await rejection(em.execute(deadlock)); // its caller takes no notice
        const late = await rejection(em.insert(Counted, { name: 'after' }));
        expect(late).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
      });
      await expect(rejection(work)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
      await expect(orm.em.fork().count(Counted)).resolves.toBe(0);
    });
  });

  it('stops a stream on the server when it is left', async () => {
    await withOrm(await database.open({ maxOpenConns: 1 }), {}, async (orm) => {
      await orm.em.fork().insertMany(Counted, [{ name: 'a' }, { name: 'b' }]);
      const long = orm.em.getConnection().stream<{ x: string }>(`select repeat('x', 1000) as x from seq_1_to_5000000`);
      for await (const { x } of long) {
        expect(x).toHaveLength(1000);
        break;
      }
      const [status] = await orm.em.execute<{ Value: string }[]>(`show session status like 'Bytes_sent'`);
      expect(Number(status?.Value)).toBeLessThan(1_000_000_000);
    });
  });
});
