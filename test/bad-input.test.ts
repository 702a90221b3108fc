import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describeWithPostgres, type PostgresEndpoint } from '@dbmanager/testkit';
import { afterAll, describe, expect, it } from '@jest/globals';
import { type ConfigInput, ConnectionManager, DbManagerError, type Logger } from 'dbmanager';

const SECRET = `s3cr'et "p@ss/%`;
const FORMS = [SECRET, encodeURIComponent(SECRET), Buffer.from(SECRET).toString('base64')];

const folder = mkdtempSync(join(tmpdir(), 'dbmanager-bad-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Everything that was logged, with all that hangs on it. */
let logged: unknown[] = [];
const record = (fields: object, message: string) => void logged.push(message, fields);
const logger: Logger = { debug: record, info: record, warn: record, error: record };

type Keys = NonNullable<ConfigInput['connections']>[string];

/** Starts `primary` with these keys beside a good connection, and gives what that fails with. */
async function startError(primary: Keys): Promise<DbManagerError> {
  logged = [];
  const connections = { primary, good: { type: 'sqlite', filepath: ':memory:' } };
  const error = await errorOf(async () => {
    await using manager = closing(ConnectionManager.from({ connections, retry_attempts: 0 }, { logger }));
    try {
      await manager.connect();
    } finally {
      for (const { pool } of Object.values(manager.stats().connections)) expect(pool.open).toBe(0);
      expectNoSecret([manager, ...manager.getAll().values()]);
    }
  });
  expectNoSecret(logged);
  return error;
}

function closing(manager: ConnectionManager): ConnectionManager & AsyncDisposable {
  return Object.assign(manager, { [Symbol.asyncDispose]: async () => void (await manager.close()) });
}

async function errorOf(work: () => unknown): Promise<DbManagerError> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DbManagerError)) throw error;
    expectNoSecret(error);
    return error;
  }
  throw new Error('was accepted');
}

function expectNoSecret(value: unknown): void {
  const texts = [String(value), JSON.stringify(value), inspect(value, { depth: 12, showHidden: true })];
  if (value instanceof Error) texts.push(String(value.stack), inspect(value.cause, { depth: 12, showHidden: true }));
  for (const text of texts) for (const form of FORMS) expect(text).not.toContain(form);
}

describe('seeds 4: Validation: bad input: the configuration', () => {
  const postgres = { type: 'postgres', host: 'db', user: 'app', password: SECRET };

  it.each<[string, Keys, string]>([
    ['key', { ...postgres, max_open_cons: 5 }, 'max_open_cons'],
    ['duration', { ...postgres, acquire_timeout: 30 }, 'acquire_timeout'],
    ['port', { ...postgres, port: 70_000 }, 'port'],
    ['DSN', { type: 'postgres', user: 'app', dsn: `mysql://app:${encodeURIComponent(SECRET)}@db/orders` }, 'dsn'],
    ['type', { type: 'postgrse' }, 'type'],
    ['missing key', { type: 'sqlite' }, 'filepath'],
  ])('refuses a bad %s', async (_, keys, option) => {
    expect(await startError(keys)).toMatchObject({
      code: 'DBM_CONFIG_INVALID',
      connectionName: 'primary',
      option,
      retryable: false,
    });
  });

  it('refuses a bad name', async () => {
    const input = { connections: { 'no name': { type: 'sqlite', filepath: ':memory:' } } };
    expect(await errorOf(() => ConnectionManager.from(input))).toMatchObject({
      code: 'DBM_CONFIG_INVALID',
      connectionName: 'no name',
    });
  });

  it.each([
    ['that is not there', 'none.yaml', undefined, 'DBM_CONFIG_UNREADABLE'],
    ['that is no YAML', 'broken.yaml', `dbmanager:\n  connections: { a: { password: ${SECRET}\n`, 'DBM_CONFIG_INVALID'],
    ['that is no text', 'binary.yaml', Buffer.from([0xff, 0xfe, 0x00]), 'DBM_CONFIG_INVALID'],
  ])('refuses a file %s', async (_, name, content, code) => {
    const file = join(folder, name);
    if (content !== undefined) writeFileSync(file, content);
    expect(await errorOf(() => ConnectionManager.load(file))).toMatchObject({ code, retryable: false });
  });
});

describe('bad input: SQLite', () => {
  it('refuses a folder that is not there', async () => {
    expect(await startError({ type: 'sqlite', filepath: join(folder, 'none', 'app.db') })).toMatchObject({
      code: 'DBM_STARTUP_FAILED',
      connectionName: 'primary',
      option: 'filepath',
      retryable: false,
      cause: { code: 'DBM_FILE_NOT_ACCESSIBLE' },
    });
  });
});

describeWithPostgres('bad input: PostgreSQL', (server: () => PostgresEndpoint) => {
  const keys = (changed: Record<string, unknown>) => ({ type: 'postgres', ...server().connection(), ...changed });

  it.each<[string, Record<string, unknown>, string, string, boolean]>([
    ['a wrong password', { password: SECRET }, 'DBM_AUTH_FAILED', 'password', false],
    ['an unknown role', { user: 'nobody', password: SECRET }, 'DBM_AUTH_FAILED', 'password', false],
    ['an unknown database', { database: 'none' }, 'DBM_DATABASE_NOT_FOUND', 'database', false],
    ['a port where nobody listens', { port: 1, password: SECRET }, 'DBM_CONNECT_FAILED', 'host', true],
    ['a host that is not there', { host: 'none.invalid', password: SECRET }, 'DBM_CONNECT_FAILED', 'host', true],
  ])('refuses %s', async (_, changed, code, option, retryable) => {
    expect(await startError(keys(changed))).toMatchObject({
      code: 'DBM_STARTUP_FAILED',
      connectionName: 'primary',
      option,
      retryable,
      cause: { code, connectionName: 'primary', option, retryable },
    });
  });

  it('gives a connection back once however often it is released, and refuses its use afterwards', async () => {
    await using manager = closing(ConnectionManager.from({ connections: { primary: keys({}) } }));
    await manager.connect();
    const primary = manager.get('primary');
    const lease = await primary.acquire();
    lease.release();
    lease.release();
    const client = await primary.native().connect();
    client.release();
    client.release();
    expect(primary.stats().pool).toMatchObject({ open: 1, idle: 1, inUse: 0 });
    const used = { code: 'DBM_LEASE_RELEASED', connectionName: 'primary', retryable: false };
    expect(await errorOf(() => lease.connection)).toMatchObject(used);
    expect(await errorOf(() => client.query('select 1'))).toMatchObject(used);
  });

  it('refuses every use of a closed manager and of the handles it gave', async () => {
    const manager = ConnectionManager.from({ default_connection: 'primary', connections: { primary: keys({}) } });
    await manager.connect();
    const primary = manager.get('primary');
    const [knex, pool, database] = [primary.knex(), primary.native(), primary.database()];
    await manager.close();
    const uses = [
      () => manager.get('primary'),
      () => manager.getDefaultDatabase(),
      () => manager.connect(),
      () => manager.reconnect(),
      () => primary.acquire(),
      () => primary.native(),
      () => primary.knex(),
      () => knex.raw('select 1'),
      () => pool.query('select 1'),
      () => database.query('select 1'),
    ];
    for (const use of uses) expect(await errorOf(use)).toMatchObject({ code: 'DBM_CLOSED', retryable: false });
  });
});
