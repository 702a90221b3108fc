import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ERROR_CODES, type ErrorCode } from '@dbmanager/core';
import { FakeProvider } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Connection, ConnectionManager, type ConnectionTransaction } from 'dbmanager';
import { drizzle as drizzleOnMysql } from 'drizzle-orm/mysql2';
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres';
import { ALL_SQL_ENGINES, rejection } from '../support/sql-engines.js';
import { Bank, entry } from './bank.js';
import type { Hands } from './hands.js';
import { participantsOn } from './participants.js';

/** Codes of an error and of those inside it, however an ORM wraps them. */
function codesOf(error: unknown): readonly string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { code, cause, driverError, previous } = error as Record<string, unknown>;
  return [...(typeof code === 'string' ? [code] : []), ...[cause, driverError, previous].flatMap(codesOf)];
}

/** What needs only something with `execute` and `transaction` of a Drizzle that is not of ours. */
interface ForeignDrizzle {
  execute(statement: string): PromiseLike<unknown>;
  transaction(work: () => Promise<void>): Promise<unknown>;
}

/** ORMs that somebody puts on the driver's own connection of a transaction, by engine. */
const ON_THE_DRIVER: Readonly<Record<string, (tx: ConnectionTransaction) => ForeignDrizzle>> = {
  postgres: (tx) => drizzleOnPg(tx.native()),
  mariadb: (tx) => drizzleOnMysql(tx.native('mariadb')),
};

for (const engine of ALL_SQL_ENGINES) {
  const PARTICIPANTS = participantsOn(engine);

  engine.describe('Bad use of ORMs', () => {
    let bank: Bank;

    beforeEach(async () => {
      bank = await Bank.open(engine);
    }, 60_000);

    afterEach(async () => {
      await bank.close();
    });

    it.each(PARTICIPANTS)('a handle of $name after the manager has closed', async ({ name, open }) => {
      const { hands } = bank.open.get(name) as { hands: Hands };
      await bank.manager.close();
      expect(codesOf(await rejection(hands.balance(1)))).toContain('DBM_CLOSED');
      expect(codesOf(await rejection(hands.transaction(async () => {})))).toContain('DBM_CLOSED');
      expect(codesOf(await rejection((async () => (await open(bank.connection)).hands.balance(1))()))).toContain(
        'DBM_CLOSED',
      );
    });

    it.each(PARTICIPANTS)('a handle of $name after the end of its transaction, kept or undone', async ({ bind }) => {
      const left: Hands[] = [];
      await bank.connection.transaction(async (tx) => left.push(bind(tx)));
      await rejection(
        bank.connection.transaction(async (tx) => {
          left.push(bind(tx));
          throw new Error('undone');
        }),
      );
      for (const hands of left) {
        expect(codesOf(await rejection(hands.balance(1)))).toContain('DBM_LEASE_RELEASED');
        expect(codesOf(await rejection(hands.insert(entry(1, 'late'))))).toContain('DBM_LEASE_RELEASED');
        expect(codesOf(await rejection(hands.transaction(async () => {})))).toContain('DBM_LEASE_RELEASED');
      }
      await expect(bank.seen()).resolves.toEqual([]);
    });

    it.each(PARTICIPANTS)('a handle of $name first asked of a transaction that has ended', async ({ bind }) => {
      let left: ConnectionTransaction | undefined;
      await bank.connection.transaction(async (tx) => {
        left = tx;
      });
      const asking = (async () => bind(left as ConnectionTransaction).balance(1))();
      await expect(rejection(asking)).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED', connectionName: 'test' });
    });

    const onTheDriver = ON_THE_DRIVER[engine.name];
    if (onTheDriver !== undefined) {
      it("a Drizzle on the driver's connection of a transaction works in it, and cannot begin another", async () => {
        await bank.connection.transaction(async (tx) => {
          const foreign = onTheDriver(tx);
          await foreign.execute('update accounts set balance = 7 where id = 1');
          expect(codesOf(await rejection(foreign.transaction(async () => {})))).toContain('DBM_UNSUPPORTED');
          await expect(tx.query('select balance from accounts where id = 1')).resolves.toEqual([{ balance: 7 }]);
        });
        await expect(bank.outside.balance(1)).resolves.toBe(7);
      });

      it("a Knex told to begin a transaction on the driver's connection of another is refused", async () => {
        await bank.connection.transaction(async (tx) => {
          const config = { connection: tx.native(engine.name as 'postgres') } as never;
          const taken = bank.connection.knex().transaction(async () => {}, config);
          expect(codesOf(await rejection(taken))).toContain('DBM_UNSUPPORTED');
          await tx.execute('update accounts set balance = 7 where id = 1');
        });
        await expect(bank.outside.balance(1)).resolves.toBe(7);
      });
    }

    it('a transaction used from two places at once: a nested one ended by hand keeps others out', async () => {
      await bank.connection.transaction(async (tx) => {
        const nested = await tx.knex().transaction();
        for (const { name, bind } of PARTICIPANTS) {
          if (name === 'Knex') continue;
          expect(codesOf(await rejection(bind(tx).balance(1)))).toContain('DBM_UNSUPPORTED');
        }
        await nested('accounts').where({ id: 1 }).increment('balance', 1);
        await nested.rollback();
        await tx.knex()('accounts').where({ id: 2 }).increment('balance', 1);
      });
      await expect(bank.balances()).resolves.toEqual([1_000, 1_001, 1_000, 1_000, 1_000, 1_000]);
    });

    it('a transaction used from two places at once: one that goes on after the other has ended it', async () => {
      const going = Promise.withResolvers<void>();
      let late: Promise<Error & { readonly code?: string }> | undefined;
      await bank.connection.transaction(async (tx) => {
        late = rejection(going.promise.then(() => tx.execute('update accounts set balance = 0')));
        await tx.execute('update accounts set balance = balance + 1 where id = 1');
      });
      going.resolve();
      await expect(late).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED', connectionName: 'test' });
      await expect(bank.outside.balance(1)).resolves.toBe(1_001);
    });
  });
}

describe('An engine that an ORM cannot have', () => {
  const connections = { store: { type: 'fake' }, other: { type: 'sqlite', filepath: ':memory:' } };
  let manager: ConnectionManager;
  let store: Connection;

  beforeEach(async () => {
    manager = ConnectionManager.from({ connections }, { providers: [new FakeProvider()] });
    await manager.connect();
    store = manager.get('store');
  });

  afterEach(async () => {
    await manager.close();
  });

  const ASKED: Readonly<Record<string, (connection: Connection) => unknown>> = {
    knex: (connection) => connection.knex(),
    kysely: (connection) => connection.kysely(),
    drizzle: (connection) => connection.drizzle(),
    typeorm: (connection) => connection.typeorm({ entities: [] }),
    'mikro-orm': (connection) => connection.mikroorm({ entities: [] }),
  };

  it.each(Object.keys(ASKED))('%s says so, and which connection', async (name) => {
    const asking = (async () => ASKED[name]?.(store))();
    await expect(rejection(asking)).resolves.toMatchObject({
      code: 'DBM_UNSUPPORTED',
      connectionName: 'store',
      message: expect.stringContaining('fake'),
    });
  });

  it('Drizzle for another type than the connection has', () => {
    expect(() => manager.get('other').drizzle('postgres')).toThrow(
      expect.objectContaining({ code: 'DBM_UNSUPPORTED' }),
    );
  });
});

/** What each ORM is asked for, and the packages of it that are looked for on SQLite. */
const PACKAGES = [
  ['knex', 'connection.knex()', ['knex']],
  ['kysely', 'connection.kysely()', ['kysely']],
  ['drizzle', "connection.drizzle('sqlite')", ['drizzle-orm']],
  ['typeorm', 'connection.typeorm({ entities: [] })', ['typeorm']],
  ['mikro-orm', 'connection.mikroorm({ entities: [] })', ['@mikro-orm/sqlite']],
] as const;

/** In processes of their own with the built packages, as it is about what Node finds beside them. */
describe('A package of an ORM', () => {
  const project = realpathSync(mkdtempSync(join(tmpdir(), 'dbmanager-bad-orm-')));
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const installed = (name: string) => join(project, 'node_modules', name);

  beforeAll(() => {
    for (const folder of readdirSync(join(root, 'packages'))) publish(join(root, 'packages', folder));
    link('better-sqlite3');
  }, 60_000);

  afterAll(() => rmSync(project, { recursive: true }));

  /** Copies a package of this workspace as it would be published; links what it depends on. */
  function publish(source: string): void {
    const { name, dependencies = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
    for (const part of ['package.json', 'dist']) {
      if (existsSync(join(source, part))) cpSync(join(source, part), join(installed(name), part), { recursive: true });
    }
    for (const dependency of Object.keys(dependencies)) {
      if (dependency.startsWith('@dbmanager/')) continue;
      // Where others need another version, npm keeps it beside the package.
      const own = join(source, 'node_modules', dependency);
      if (!existsSync(own)) link(dependency);
      else linkTo(own, join(installed(name), 'node_modules', dependency));
    }
  }

  const link = (name: string) => linkTo(join(root, 'node_modules', name), installed(name));

  function linkTo(target: string, path: string): void {
    if (existsSync(path)) return;
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }

  /** The error of asking for an ORM in that project. */
  async function errorOf(asking: string): Promise<{ code?: string; message?: string; connectionName?: string }> {
    const program = `import { ConnectionManager } from 'dbmanager';
      const manager = ConnectionManager.from({ connections: { primary: { type: 'sqlite', filepath: ':memory:' } } });
      await manager.connect();
      const connection = manager.get('primary');
      const { code, message, connectionName } = await Promise.resolve().then(() => ${asking}).catch((error) => error);
      console.log(JSON.stringify({ code, message, connectionName }));
      await manager.close();`;
    writeFileSync(join(project, 'main.mjs'), program);
    const { stdout } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd: project });
    return JSON.parse(stdout);
  }

  it.each(PACKAGES)('%s: not installed', async (_, asking, [name]) => {
    await expect(errorOf(asking)).resolves.toEqual({
      code: 'DBM_PACKAGE_NOT_INSTALLED',
      connectionName: 'primary',
      message: expect.stringContaining(`npm install ${name}`),
    });
  });

  it.each(PACKAGES)('%s: out of the range that is tested', async (_, asking, names) => {
    for (const name of names) {
      mkdirSync(installed(name), { recursive: true });
      writeFileSync(join(installed(name), 'package.json'), JSON.stringify({ name, version: '99.1.0' }));
      for (const file of ['index.js', 'sqlite-proxy.js']) writeFileSync(join(installed(name), file), '');
    }
    await expect(errorOf(asking)).resolves.toEqual({
      code: 'DBM_PACKAGE_VERSION',
      connectionName: 'primary',
      message: expect.stringContaining('99.1.0 is installed'),
    });
  });
});

describe('docs/errors.md', () => {
  it.each<ErrorCode>([
    'DBM_PACKAGE_NOT_INSTALLED',
    'DBM_PACKAGE_VERSION',
    'DBM_UNSUPPORTED',
    'DBM_CLOSED',
    'DBM_LEASE_RELEASED',
  ])('has %s', (code) => {
    const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    expect(page).toContain(`| \`${code}\` | ${ERROR_CODES[code].retryable ? 'yes' : 'no'} |`);
  });
});
