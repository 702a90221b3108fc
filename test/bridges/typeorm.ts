import { typeormBridge } from '@dbmanager/bridge-typeorm';
import { type DataSource, type EntityManager, EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import type { Item, Items, OpenOrm, OrmUnderTest } from './orm-under-test.js';

type Row = Omit<Item, 'big'> & { readonly big: bigint };

/** TypeORM reads big integers as text, or as numbers where they are exact. */
const bigTransformer = {
  to: (value: bigint) => String(value),
  from: (value: string | number | bigint) => BigInt(value),
};

const schemas = {
  postgres: schemaOf({ at: { type: 'timestamptz' }, json: { type: 'jsonb' }, bytes: { type: 'bytea' } }),
  mariadb: schemaOf({ at: { type: 'datetime', precision: 3 }, json: { type: 'json' }, bytes: { type: 'blob' } }),
  sqlite: schemaOf({ at: { type: 'datetime' }, json: { type: 'simple-json' }, bytes: { type: 'blob' } }),
  mssql: schemaOf({
    at: { type: 'datetime2', precision: 3 },
    json: { type: 'simple-json' },
    bytes: { type: 'varbinary', length: 'max' },
  }),
} as const;

function schemaOf(columns: Record<'at' | 'json' | 'bytes', EntitySchemaColumnOptions>) {
  return new EntitySchema<Row>({
    name: 'items',
    columns: {
      id: { type: 'integer', primary: true },
      name: { type: 'varchar', unique: true },
      big: { type: 'bigint', transformer: bigTransformer },
      ...columns,
    },
  });
}

/** TypeORM in the suite. */
export const typeormUnderTest: OrmUnderTest = {
  name: 'TypeORM',
  types: typeormBridge.types,
  checksOutOn: typeormBridge.types,
  streamsOn: typeormBridge.types,
  async open(connection, key) {
    const options = { entities: [schemas[connection.type as keyof typeof schemas]] };
    return openOn(await connection.use(typeormBridge, options, key));
  },
  bind: (tx) => itemsOf(tx.use(typeormBridge)),
};

function openOn(handle: DataSource): OpenOrm {
  return {
    handle,
    items: itemsOf(handle.manager),
    createTable: () => handle.synchronize(),
    close: () => handle.destroy(),
    async checkOut() {
      const runner = handle.createQueryRunner();
      // On SQLite only a write takes a connection until the end, on SQL Server only a transaction.
      if (handle.options.type === 'mssql') await runner.startTransaction();
      await runner.query('delete from items where id < 0');
      return runner;
    },
    async *stream() {
      const query = handle.createQueryBuilder().select('name', 'name').from('items', 'items').orderBy('id');
      for await (const row of await query.stream()) yield (row as unknown as { readonly name: string }).name;
    },
  };
}

function itemsOf(manager: EntityManager): Items {
  const items = () => manager.getRepository<Row>('items');
  return {
    insert: (item) => items().insert(item as object),
    find: async (id) => (await items().findOneBy({ id })) ?? undefined,
    names: async () =>
      (await items().find({ select: { id: true, name: true }, order: { id: 'ASC' } })).map(({ name }) => name),
    rename: (id, name) => items().update({ id }, { name }),
    remove: (id) => items().delete({ id }),
    raw: (sql) => manager.query(sql),
    transaction: (work) => manager.transaction((inner) => work(itemsOf(inner))),
  };
}
