import { type BridgeTarget, seededRandom } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { ALL_SQL_ENGINES, bridgeTarget, type SqlDatabase } from '../../../test/support/sql-engines.js';
import { fits, inOrder, type Thing, ThingMaker } from '../test/row-model.js';
import { typesOf } from '../test/user.js';
import { createRepository, type Filter, type Order, type Repository } from './index.js';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const FILTERS = 60;
const WALKS = 6;

for (const engine of ALL_SQL_ENGINES) {
  engine.describe(`seeds 1: Repository: what is read of random rows (seed ${seed})`, () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let db: Database;
    let things: Repository<Thing>;
    let rows: Thing[];
    const make = new ThingMaker(seededRandom(seed));

    beforeAll(async () => {
      files = await engine.create();
      connection = await files.open({ maxOpenConns: 2 });
      const target: BridgeTarget = bridgeTarget(connection);
      db = createDatabase(target);
      const { text, boolean } = typesOf(engine);
      await db.execute(
        `create table things (id integer primary key, word ${text} not null, rank integer, flag ${boolean})`,
      );
      const columns = { id: 'integer', word: 'text', rank: 'integer?', flag: 'boolean?' } as const;
      const place = { name: target.name, type: target.type, scope: () => db };
      things = createRepository<Thing>(place, { table: 'things', columns });
    }, 60_000);

    afterAll(async () => {
      await connection?.close();
      await files?.drop();
    });

    beforeEach(async () => {
      await db.execute('delete from things');
      rows = make.things(60);
      await things.createMany(rows);
    });

    async function forwards(filter: Filter<Thing>, order: Order<Thing>, limit: number): Promise<Thing[][]> {
      const pages: Thing[][] = [];
      let after: string | undefined;
      do {
        const page = await things.page(filter, { order, limit, after });
        pages.push(page.rows);
        after = page.next;
      } while (after !== undefined);
      return pages;
    }

    async function backwards(filter: Filter<Thing>, order: Order<Thing>, limit: number): Promise<Thing[][]> {
      let page = await things.page(filter, { order, limit });
      while (page.next !== undefined) page = await things.page(filter, { order, limit, after: page.next });
      const pages = [page.rows];
      while (page.previous !== undefined) {
        page = await things.page(filter, { order, limit, before: page.previous });
        pages.unshift(page.rows);
      }
      return pages;
    }

    it('is what a model of SQL finds, counts and orders', async () => {
      for (let run = 0; run < FILTERS; run++) {
        const filter = make.filter();
        const order = make.order();
        const expected = inOrder(
          rows.filter((row) => fits(row, filter)),
          order,
        );
        const context = JSON.stringify({ seed, run, filter, order });
        expect({ context, rows: await things.list(filter, { order }) }).toEqual({ context, rows: expected });
        expect({ context, count: await things.count(filter) }).toEqual({ context, count: expected.length });
      }
    });

    it('is in pages each row once, whichever way they are turned', async () => {
      for (let run = 0; run < WALKS; run++) {
        const order = make.order();
        const limit = make.one([1, 3, 7, 60, 61]);
        const filter = make.one<Filter<Thing>>([{}, { rank: { isNull: false } }, { word: { ne: 'a' } }]);
        const expected = inOrder(
          rows.filter((row) => fits(row, filter)),
          order,
        );
        const context = JSON.stringify({ seed, run, order, limit, filter });
        expect({ context, rows: (await forwards(filter, order, limit)).flat() }).toEqual({ context, rows: expected });
        expect({ context, rows: (await backwards(filter, order, limit)).flat() }).toEqual({ context, rows: expected });
      }
    });

    it('is in pages each row once, whatever is written behind the cursor, and though its row is deleted', async () => {
      for (let run = 0; run < WALKS; run++) {
        const order = make.order();
        const visited: Thing[] = [];
        const written: Thing[] = [];
        let after: string | undefined;
        do {
          const page = await things.page({}, { order, limit: 9, after });
          visited.push(...page.rows);
          after = page.next;
          const last = page.rows.at(-1) as Thing;
          await things.delete(last.id);
          const [behind] = make.things(1, 1_000 * (run + 1) + written.length);
          if (behind !== undefined && inOrder([behind, last], order)[0] === behind) {
            await things.create(behind);
            written.push(behind);
          }
        } while (after !== undefined);
        const context = JSON.stringify({ seed, run, order });
        expect({ context, rows: visited }).toEqual({ context, rows: inOrder(rows, order) });
        await things.deleteWhere({ id: { gt: 0 } });
        await things.createMany(rows);
      }
    });
  });
}
