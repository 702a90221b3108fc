import { mikroOrmBridge } from '@dbmanager/bridge-mikro-orm';
import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Items, OrmUnderTest } from './orm-under-test.js';

const ItemSchema = defineEntity({
  name: 'Item',
  tableName: 'items',
  properties: {
    // On SQL Server a key that is counted up is of another kind, which other ORMs do not write to.
    id: p.integer().primary().autoincrement(false),
    name: p.string().unique(),
    big: p.bigint(),
    at: p.datetime().length(3),
    json: p.json<unknown>(),
    bytes: p.blob(),
  },
});
type ItemEntity = InferEntity<typeof ItemSchema>;

/** What another handle has besides: several entity sets stand side by side. */
const Other = defineEntity({ name: 'Other', properties: { id: p.integer().primary() } });

/** MikroORM in the suite. */
export const mikroOrmUnderTest: OrmUnderTest = {
  name: 'MikroORM',
  types: mikroOrmBridge.types,
  checksOutOn: mikroOrmBridge.types,
  streamsOn: mikroOrmBridge.types,
  async open(connection, key) {
    const entities = key === undefined ? [ItemSchema] : [ItemSchema, Other];
    const orm = await connection.use(
      mikroOrmBridge,
      connection.opened('mikroorm', key ?? 'default') ? undefined : { entities },
      key,
    );
    return {
      handle: orm,
      items: itemsOf(() => orm.em.fork()),
      createTable: () => orm.schema.create(),
      close: () => orm.close(),
      async checkOut() {
        const em = orm.em.fork();
        await em.begin();
        return { release: () => em.rollback() };
      },
      async *stream() {
        for await (const { name } of orm.em.fork().stream(ItemSchema, { orderBy: { id: 1 } })) yield name;
      },
    };
  },
  bind(tx) {
    const em = tx.use(mikroOrmBridge);
    return itemsOf(() => em);
  },
};

/** @param manager gives the entity manager of one call: outside of transactions a fresh one, as MikroORM asks for. */
function itemsOf(manager: () => SqlEntityManager): Items {
  const fresh = { disableIdentityMap: true } as const;
  return {
    insert: (item) => manager().insert(ItemSchema, item as ItemEntity),
    find: async (id) => (await manager().findOne(ItemSchema, { id }, fresh)) ?? undefined,
    async names() {
      const items = await manager().find(ItemSchema, {}, { ...fresh, orderBy: { id: 1 } });
      return items.map(({ name }) => name);
    },
    rename: (id, name) => manager().nativeUpdate(ItemSchema, { id }, { name }),
    remove: (id) => manager().nativeDelete(ItemSchema, { id }),
    raw: (text) => manager().execute(text),
    transaction: (work) => manager().transactional((inner) => work(itemsOf(() => inner as SqlEntityManager))),
  };
}
