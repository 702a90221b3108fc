/** @jest-environment ./test/support/new-york-environment.js */
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { defineEntity, type InferEntity, p, type RequiredEntityData } from '@mikro-orm/core';
import { bridgeTarget, MARIADB, MSSQL, SQL_ENGINES, type SqlDatabase } from '../../../test/support/sql-engines.js';
import { mikroOrmBridge } from './mikro-orm-bridge.js';
import type { SqlMikroOrm } from './mikro-orm-module.js';

const BIG = 9_007_199_254_740_993n;
const AT = new Date('2024-07-01T12:34:56.789Z');

const properties = {
  id: p.integer().primary(),
  big: p.bigint(),
  day: p.date(),
  json: p.json<unknown>(),
  bytes: p.blob(),
  list: p.array(),
  at: p.datetime().length(3),
};
const Value = defineEntity({ name: 'Value', properties });
/** What only PostgreSQL has. */
const PostgresValue = defineEntity({
  name: 'PostgresValue',
  properties: { ...properties, local: p.datetime().columnType('timestamp(3)') },
});

for (const engine of [...SQL_ENGINES, MARIADB, MSSQL]) {
  engine.describe('Values of MikroORM, far from UTC,', () => {
    const Entity = engine.name === 'postgres' ? PostgresValue : Value;
    let database: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let orm: SqlMikroOrm;

    const written: RequiredEntityData<InferEntity<typeof Value>> & { id: number } = {
      id: 1,
      big: BIG,
      day: '2024-07-01',
      json: { deep: [1, null, "O'Brien"] },
      bytes: Buffer.from([0, 255]),
      list: ['a', 'b "c"'],
      at: AT,
      ...(engine.name === 'postgres' ? { local: AT } : {}),
    };

    beforeAll(async () => {
      database = await engine.create();
      connection = await database.open({ maxOpenConns: 2 });
      target = bridgeTarget(connection);
      orm = await mikroOrmBridge.open(target, { entities: [Entity] });
      await orm.schema.create();
    }, 60_000);

    afterAll(async () => {
      await connection.close();
      await database.drop();
    });

    it('come back as they were written, from a find and from a stream', async () => {
      expect(AT.getTimezoneOffset()).not.toBe(0);
      const em = orm.em.fork();
      em.persist(em.create(Entity as typeof Value, written));
      await em.flush();
      const plain = (value: object) =>
        JSON.parse(JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each)));
      const found = await orm.em.fork().findOneOrFail(Entity as typeof Value, { id: 1 });
      expect(plain(found)).toEqual(plain(written));
      for await (const streamed of orm.em.fork().stream(Entity as typeof Value)) {
        expect(plain(streamed)).toEqual(plain(written));
      }
    });
  });
}
