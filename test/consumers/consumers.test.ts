import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const modules = join(root, 'node_modules');
/** Compiling the declarations of every dependency takes its time on a busy machine. */
const TIMEOUT_MS = 120_000;

const project = mkdtempSync(join(tmpdir(), 'dbmanager-consumer-'));

/** What the consumer has installed besides dbmanager. */
const INSTALLED = ['pg', '@types/pg', 'knex', '@types/node'];

const program = (importLine: string) => `${importLine}

async function main(): Promise<void> {
  const mgr = ConnectionManager.from({ connections: { primary: { type: 'postgres', host: '127.0.0.1', user: 'app', database: 'app', startup: 'lazy' } } });
  await mgr.connect();
  const knex: Knex = mgr.get('primary').knex();
  const text: string = knex<{ id: number; active: boolean }>('users').where({ active: true }).toString();
  // @ts-expect-error a real Knex has no such method: knex() is not any
  knex.noSuchMethod;
  const pool: Pool = mgr.get('primary').native();
  // @ts-expect-error a real pg.Pool has no such method
  pool.noSuchMethod;
  const db = mgr.getDefaultDatabase();
  const limited: QueryOptions = { timeout: '1s' };
  const rows = (): Promise<{ id: number }[]> => db.query<{ id: number }>('select 1 as id', [], limited);
  const row = (): Promise<{ id: number } | undefined> => db.queryOne<{ id: number }>(sql\`select \${1} as id\`, limited);
  const stream = (): RowStream<{ id: number }> => db.stream<{ id: number }>('select 1 as id');
  // @ts-expect-error no statement
  const wrong = () => db.query(5);
  const primary = mgr.get('primary');
  const migrations: Migrations = primary.migrations({ migrations: [] });
  const applied = async (): Promise<string[]> => (await migrations.up()).map(({ description }) => description);
  const named = () => primary.sql('users/by-id', { id: 7 });
  // @ts-expect-error no query that the generated file has
  const unnamed = () => primary.sql('users/by-idd', { id: 7 });
  const slowest: readonly { readonly count: number }[] = primary.slowestStatements(10);
  const sqlite = ConnectionManager.from({ connections: { cache: { type: 'sqlite', filepath: ':memory:' } } });
  const refused = await sqlite.connect().then(
    () => 'connected',
    (error: unknown) => (error instanceof StartupError ? (error.errors[0] as DbManagerError).code : 'other'),
  );
  console.log(JSON.stringify({ text, pool: pool.constructor.name, slowest, refused }));
  await mgr.close();
  await sqlite.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
`;

const IMPORTS = `import {
  ConnectionManager, type DbManagerError, type Migrations, type QueryOptions, type RowStream, StartupError, sql,
} from 'dbmanager';
import type { Knex } from 'knex';
import type { Pool } from 'pg';`;

/** What applications keep in their databases, and their tests: no framework and no test runner is installed. */
const APPLICATION = `import { expressTransaction, fastifyDeadline, koaTenant, signalOf, TenantsByHost, transactionOf } from '@dbmanager/middleware';
import { type MockDatabase, testManager, transactionPerTest } from '@dbmanager/testing';
import {
  type Connection, ConnectionManager, ExpressRateLimitStore, expressSessionStore, FastifySessionStore, fastifyRateLimitStore,
  KeyValueTable, type Repository, type Stores, type Tenant,
} from 'dbmanager';

interface User {
  id: number;
  name: string | null;
}

const mgr = ConnectionManager.from({ connections: { main: { type: 'sqlite', filepath: ':memory:' } } });
export function application(main: Connection) {
  const users: Repository<User> = main.repository<User>({ table: 'users', columns: { id: 'integer', name: 'text?' } });
  // @ts-expect-error a column that may be NULL is declared so
  main.repository<User>({ table: 'users', columns: { id: 'integer', name: 'text' } });
  // @ts-expect-error no such column
  const wrong = () => users.list({ nme: 'Ada' });
  // @ts-expect-error a name is no number
  const wrongValue = () => users.list({ name: 5 });
  const stores: Stores = main.stores();
  const tenants = new TenantsByHost<Tenant>((host, { signal }) => stores.tenants.loadByHost(host, { signal }));
  const maxUsers = (request: object): number => tenants.of(request).maxUsers;
  const table = new KeyValueTable(main).store<User>();
  const user = async (): Promise<User | undefined> => table.get('1');
  const cached = () => main.database().query<User>('select 1', [], { cache: { ttl: '1s', tags: ['a'] } });
  // @ts-expect-error tags are several
  const badlyCached = () => main.database().query('select 1', [], { cache: { tags: 'a' } });
  const inRequest = (request: object) => transactionOf(request, main).knex()<User>('users').where({ id: 1 });
  const signal = (request: object): AbortSignal => signalOf(request);
  const adapters = [expressSessionStore(stores.sessions), new FastifySessionStore(stores.sessions), new ExpressRateLimitStore(stores.rateLimits), fastifyRateLimitStore(stores.rateLimits)];
  const mounted = [expressTransaction(main, { readOnly: 'safe' }), fastifyDeadline({ timeout: '5s' }), koaTenant(tenants)];
  // @ts-expect-error a request is not repeated
  expressTransaction(main, { retry: 3 });
  return { wrong, wrongValue, maxUsers, user, cached, badlyCached, inRequest, signal, adapters, mounted };
}
export const mocked = (mock: MockDatabase) => mock.on(/select/).rows([{ id: 1 }]);
export const rolledBack = () => transactionPerTest(() => mgr.get('main'));
export const inMemory = () => testManager({ schema: 'create table users (id integer primary key)' });
`;

/** As `dbmanager sql types` writes it. */
const QUERIES = `export {};
declare module 'dbmanager' {
  interface SqlQueries { 'users/by-id': { id: unknown } }
}
`;

const compilerOptions = {
  module: 'nodenext',
  target: 'es2023',
  strict: true,
  skipLibCheck: false,
  types: ['node'],
  outDir: 'out',
};

beforeAll(() => {
  for (const folder of readdirSync(join(root, 'packages'))) copyWorkspace(join(root, 'packages', folder));
  for (const name of INSTALLED) copyInstalled(name, modules);
}, TIMEOUT_MS);

afterAll(() => rmSync(project, { recursive: true, force: true }));

describe.each([
  ['an ES module', 'module'],
  ['a CommonJS', 'commonjs'],
])('%s project with only pg and knex installed', (_, type) => {
  const folder = join(project, type);

  beforeAll(() => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
    writeFileSync(join(folder, 'main.ts'), program(IMPORTS));
    writeFileSync(join(folder, 'queries.d.ts'), QUERIES);
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['main.ts', 'queries.d.ts'] }),
    );
  });

  it(
    'type-checks with skipLibCheck: false, each handle being of its own type and statements of files by their names, and runs',
    async () => {
      await expect(compile(folder)).resolves.toBe('');
      const { stdout } = await run(process.execPath, [join(folder, 'out/main.js')], { cwd: folder });
      expect(JSON.parse(stdout)).toEqual({
        text: 'select * from "users" where "active" = true',
        pool: expect.stringContaining('Pool'),
        slowest: [],
        refused: 'DBM_PACKAGE_NOT_INSTALLED',
      });
    },
    TIMEOUT_MS,
  );
});

it(
  'finds the packages of applications well typed, too, where no framework and no other driver is installed',
  async () => {
    const folder = join(project, 'application');
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(join(folder, 'main.ts'), APPLICATION);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    await expect(compile(folder)).resolves.toBe('');
  },
  TIMEOUT_MS,
);

it('names the package to install for each ORM that is not', async () => {
  const script = `
    import { ConnectionManager } from 'dbmanager';
    const place = { host: '127.0.0.1', user: 'app', database: 'app', startup: 'lazy' };
    const mgr = ConnectionManager.from({ connections: { primary: { type: 'postgres', ...place } } });
    await mgr.connect();
    const primary = mgr.get('primary');
    const told = {};
    for (const orm of ['kysely', 'drizzle', 'typeorm', 'mikroorm']) {
      const opened = Promise.resolve().then(() => primary[orm]({ entities: [] }));
      told[orm] = await opened.then(
        () => 'opened',
        ({ code, message, connectionName }) => [code, connectionName, message.match(/npm install (.*)/)?.[1]],
      );
    }
    console.log(JSON.stringify(told));
    await mgr.close();`;
  const file = join(project, 'orms.mjs');
  writeFileSync(file, script);
  const { stdout } = await run(process.execPath, [file], { cwd: project });
  const missing = (name: string) => ['DBM_PACKAGE_NOT_INSTALLED', 'primary', name];
  expect(JSON.parse(stdout)).toEqual({
    kysely: missing('kysely'),
    drizzle: missing('drizzle-orm'),
    typeorm: missing('typeorm'),
    mikroorm: missing('@mikro-orm/postgresql'),
  });
});

/** What the compiler has to say of a project. */
async function compile(folder: string): Promise<string> {
  const tsc = run(process.execPath, [join(modules, 'typescript/bin/tsc'), '-p', folder]);
  const { stdout } = await tsc.catch((error: { stdout: string }) => error);
  return stdout;
}

/** Copies a package of this workspace as it would be published. */
function copyWorkspace(source: string): void {
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
  const target = join(project, 'node_modules', manifest.name);
  for (const entry of ['package.json', ...(manifest.files ?? [])]) {
    cpSync(join(source, entry), join(target, entry), { recursive: true });
  }
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (!name.startsWith('@dbmanager/')) copyInstalled(name, join(source, 'node_modules'));
  }
}

/** Copies an installed package and all it depends on, but no optional peer. */
function copyInstalled(name: string, from: string): void {
  const source = [join(from, name), join(modules, name)].find((folder) => existsSync(folder));
  const target = join(project, 'node_modules', name);
  if (source === undefined || existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(source, target, { recursive: true });
  const { dependencies = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
  for (const dependency of Object.keys(dependencies)) copyInstalled(dependency, join(source, 'node_modules'));
}

interface Manifest {
  readonly name: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
}
