import { type AnyDatabase, kyselyBridge } from '@dbmanager/bridge-kysely';
import { type Expression, type Kysely, type RawBuilder, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import type { Item, Items, OrmUnderTest } from './orm-under-test.js';

/** Values as they are written; on SQLite some are numbers and text. */
interface Database {
  items: { id: number; name: string; big: unknown; at: unknown; json: unknown; bytes: Uint8Array };
}

/** What an engine has of its own. */
interface Dialect {
  readonly types: {
    readonly big: 'bigint' | 'integer';
    readonly at: 'timestamptz' | 'datetime(3)' | 'integer' | Expression<unknown>;
    readonly json: 'jsonb' | 'json' | 'text' | Expression<unknown>;
    readonly bytes: 'bytea' | 'blob' | Expression<unknown>;
  };
  /** What goes to the database for an item, besides what is the same everywhere. */
  write(item: Item): { at: unknown; json: unknown };
  read(row: Database['items']): Pick<Item, 'at' | 'json'>;
  /** Its statements for savepoints, where they are not those of the standard. */
  readonly savepoint?: Savepoint;
}

interface Savepoint {
  readonly begin: RawBuilder<unknown>;
  readonly undo: RawBuilder<unknown>;
  readonly end?: RawBuilder<unknown>;
}

const SAVEPOINT: Savepoint = {
  begin: sql`savepoint inside`,
  undo: sql`rollback to savepoint inside`,
  end: sql`release savepoint inside`,
};

const DIALECTS: Readonly<Record<string, Dialect>> = {
  postgres: {
    types: { big: 'bigint', at: 'timestamptz', json: 'jsonb', bytes: 'bytea' },
    write: ({ at, json }) => ({ at, json: JSON.stringify(json) }),
    read: ({ at, json }) => ({ at: at as Date, json }),
  },
  mariadb: {
    types: { big: 'bigint', at: 'datetime(3)', json: 'json', bytes: 'blob' },
    write: ({ at, json }) => ({ at, json: JSON.stringify(json) }),
    read: ({ at, json }) => ({ at: at as Date, json }),
  },
  sqlite: {
    types: { big: 'integer', at: 'integer', json: 'text', bytes: 'blob' },
    write: ({ at, json }) => ({ at: at.getTime(), json: JSON.stringify(json) }),
    read: ({ at, json }) => ({ at: new Date(at as number), json: JSON.parse(json as string) }),
  },
  mssql: {
    types: { big: 'bigint', at: sql`datetime2(3)`, json: sql`nvarchar(max)`, bytes: sql`varbinary(max)` },
    // Kysely sends a Date as the type datetime, which counts in 300ths of a second.
    write: ({ at, json }) => ({ at: at.toISOString(), json: JSON.stringify(json) }),
    read: ({ at, json }) => ({ at: at as Date, json: JSON.parse(json as string) }),
    savepoint: { begin: sql`save transaction inside`, undo: sql`rollback transaction inside` },
  },
};

/** Kysely in the suite. */
export const kyselyUnderTest: OrmUnderTest = {
  name: 'Kysely',
  types: kyselyBridge.types,
  checksOutOn: kyselyBridge.types,
  streamsOn: kyselyBridge.types,
  async open(connection, key) {
    const handle = typed(connection.use(kyselyBridge, undefined, key));
    const dialect = DIALECTS[connection.type] as Dialect;
    return {
      handle,
      items: itemsOf(handle, dialect),
      createTable: () => migrate(handle, dialect),
      close: () => handle.destroy(),
      async checkOut() {
        const trx = await handle.startTransaction().execute();
        return { release: () => trx.rollback().execute() };
      },
      async *stream() {
        for await (const { name } of handle.selectFrom('items').select('name').orderBy('id').stream(2)) yield name;
      },
    };
  },
  bind: (tx) => itemsOf(typed(tx.use(kyselyBridge)), DIALECTS[tx.type] as Dialect),
};

function typed(handle: AnyDatabase): Kysely<Database> {
  return handle as unknown as Kysely<Database>;
}

function itemsOf(handle: Kysely<Database>, dialect: Dialect): Items {
  return {
    insert: (item) =>
      handle
        .insertInto('items')
        .values({ ...item, ...dialect.write(item) })
        .execute(),
    async find(id) {
      const row = await handle.selectFrom('items').selectAll().where('id', '=', id).executeTakeFirst();
      return row && { ...row, ...dialect.read(row), big: BigInt(row.big as string) };
    },
    async names() {
      const rows = await handle.selectFrom('items').select('name').orderBy('id').execute();
      return rows.map(({ name }) => name);
    },
    rename: (id, name) => handle.updateTable('items').set({ name }).where('id', '=', id).execute(),
    remove: (id) => handle.deleteFrom('items').where('id', '=', id).execute(),
    raw: (text) => sql.raw(text).execute(handle),
    transaction: (work) =>
      handle.isTransaction
        ? inSavepoint(handle, dialect.savepoint ?? SAVEPOINT, () => work(itemsOf(handle, dialect)))
        : handle.transaction().execute((trx) => work(itemsOf(trx, dialect))),
  };
}

/** Kysely's transactions do not nest by themselves. */
async function inSavepoint<T>(
  trx: Kysely<Database>,
  { begin, undo, end }: Savepoint,
  work: () => Promise<T>,
): Promise<T> {
  await begin.execute(trx);
  try {
    return await work();
  } catch (error) {
    await undo.execute(trx);
    throw error;
  } finally {
    await end?.execute(trx);
  }
}

/** Makes the table by Kysely's migrator, twice: the second time it is done already. */
async function migrate(handle: Kysely<Database>, { types }: Dialect): Promise<void> {
  const up = (db: Kysely<unknown>) =>
    db.schema
      .createTable('items')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'varchar(255)', (column) => column.notNull().unique())
      .addColumn('big', types.big, (column) => column.notNull())
      .addColumn('at', types.at, (column) => column.notNull())
      .addColumn('json', types.json, (column) => column.notNull())
      .addColumn('bytes', types.bytes, (column) => column.notNull())
      .execute();
  for (let run = 0; run < 2; run++) {
    const provider = { getMigrations: async () => ({ items: { up } }) };
    const { error } = await new Migrator({ db: handle, provider }).migrateToLatest();
    if (error !== undefined) throw error;
  }
}
