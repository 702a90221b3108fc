import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Connection, ConnectionManager, type DrizzleHandles } from 'dbmanager';
import type { Knex } from 'knex';
import { type DataSource, EntitySchema } from 'typeorm';
import { DbManagerModule } from './db-manager-module.js';
import { getConnectionToken, getHandleToken, InjectConnection, InjectDrizzle, InjectKnex } from './injection.js';

const User = new EntitySchema<{ id: number }>({ name: 'users', columns: { id: { type: 'integer', primary: true } } });
const Invoice = new EntitySchema<{ id: number }>({
  name: 'invoices',
  columns: { id: { type: 'integer', primary: true } },
});

@Injectable()
class Reports {
  constructor(
    @InjectConnection('primary') readonly connection: Connection,
    @InjectKnex('primary') readonly knex: Knex,
    @InjectDrizzle('primary') readonly drizzle: DrizzleHandles['sqlite'],
  ) {}
}

@Module({
  imports: [DbManagerModule.forFeature('primary', { knex: true, drizzle: true })],
  providers: [Reports],
})
class ReportsModule {}

describe('the Nest module', () => {
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbmanager-nest-'));
    file = join(folder, 'dbmanager.yaml');
    await writeFile(
      file,
      'dbmanager:\n  connections:\n    primary: { type: sqlite, filepath: ":memory:" }\n' +
        `    missing: { type: sqlite, filepath: "${join(folder, 'no', 'such.db')}", startup: lazy }\n`,
    );
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  /** An application of the root module and `features`, until `work` has ended. */
  async function withApp<T>(
    features: readonly (Type | ReturnType<typeof DbManagerModule.forFeature>)[],
    work: (app: INestApplicationContext) => Promise<T>,
    root = DbManagerModule.forRoot({ file }),
  ): Promise<T> {
    class AppModule {}
    Module({ imports: [root, ...features] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    try {
      return await work(app);
    } finally {
      await app.close();
    }
  }

  it('injects the manager, a connection, and handles of ORMs', async () => {
    await withApp([ReportsModule], async (app) => {
      const reports = app.get(Reports, { strict: false });
      const primary = app.get(ConnectionManager).get('primary');
      expect(reports.connection).toBe(primary);
      expect(reports.knex).toBe(primary.knex());
      expect(reports.drizzle).toBe(primary.drizzle('sqlite'));
      await expect(reports.knex.select(reports.knex.raw('1 as one'))).resolves.toEqual([{ one: 1 }]);
    });
  });

  it('opens handles that open asynchronously, and several entity sets by name', async () => {
    const users = DbManagerModule.forFeature('primary', { typeorm: { entities: [User] } });
    const billing = DbManagerModule.forFeature('primary', { typeorm: { entities: [Invoice], name: 'billing' } });
    await withApp([users, billing], async (app) => {
      const get = (name?: string) => app.get<DataSource>(getHandleToken('typeorm', 'primary', name), { strict: false });
      expect(get().hasMetadata(User)).toBe(true);
      expect(get().hasMetadata(Invoice)).toBe(false);
      expect(get('billing').hasMetadata(Invoice)).toBe(true);
    });
  });

  it('gives modules that name the same handle the same one', async () => {
    const again = DbManagerModule.forFeature('primary', { knex: true, native: true });
    await withApp([ReportsModule, again], async (app) => {
      const knex = app.get<Knex>(getHandleToken('knex', 'primary'), { strict: false });
      expect(knex).toBe(app.get(Reports, { strict: false }).knex);
    });
  });

  it('closes the manager when the application has shut down', async () => {
    const kept = await withApp([ReportsModule], async (app) => app.get(Reports, { strict: false }));
    await expect(kept.knex.raw('select 1')).rejects.toMatchObject({ code: 'DBM_CLOSED' });
  });

  it('takes a manager that the application makes with what it injects', async () => {
    @Module({ providers: [{ provide: 'path', useValue: ':memory:' }], exports: ['path'] })
    class ConfigModule {}
    const root = DbManagerModule.forRootAsync({
      imports: [ConfigModule],
      inject: ['path'],
      useFactory: (filepath: string) =>
        ConnectionManager.from({ connections: { primary: { type: 'sqlite', filepath } } }),
    });
    await withApp([ReportsModule], async (app) => expect(app.get(Reports, { strict: false })).toBeDefined(), root);
  });

  it('does not start without a database that is required, and leaves nothing open', async () => {
    let primary: Connection | undefined;
    const root = DbManagerModule.forRootAsync({
      useFactory: () => {
        const manager = ConnectionManager.from({
          connections: {
            primary: { type: 'sqlite', filepath: ':memory:' },
            missing: { type: 'sqlite', filepath: join(folder, 'no', 'such.db') },
          },
        });
        primary = manager.get('primary');
        return manager;
      },
    });
    await expect(withApp([ReportsModule], async () => {}, root)).rejects.toMatchObject({ connectionName: 'missing' });
    const { created, destroyed } = primary?.stats().pool ?? {};
    expect(created).toBe(destroyed);
    expect(() => primary?.knex()).toThrow(expect.objectContaining({ code: 'DBM_CLOSED' }));
  });

  it('does not start when a feature names a connection that there is not', async () => {
    const unknown = DbManagerModule.forFeature('primari');
    await expect(withApp([unknown], async () => {})).rejects.toMatchObject({ code: 'DBM_UNKNOWN_CONNECTION' });
  });

  it('has tokens by which a test puts something else in', () => {
    expect(getConnectionToken('primary')).toBe('dbmanager:primary');
    expect(getHandleToken('typeorm', 'primary', 'billing')).toBe('dbmanager:primary:typeorm:billing');
  });
});
