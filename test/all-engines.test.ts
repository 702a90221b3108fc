import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  describeWithFerretdb,
  describeWithOwnMariadb,
  FerretdbServer,
  MariadbServer,
  MssqlStandIn,
  PostgresServer,
} from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROVIDERS } from 'dbmanager';
import { runCommand, Serve } from './support/serve.js';

const FILE = fileURLToPath(new URL('../config/all-engines.yaml', import.meta.url));
/** Checks as often as can be, and one attempt to connect, so that `status` has its answer at once. */
const SETTINGS = {
  DBMANAGER_HEALTH_CHECK_INTERVAL: '100ms',
  DBMANAGER_RETRY_ATTEMPTS: '0',
  DBMANAGER_RETRY_DELAY: '50ms',
  DBMANAGER_RETRY_MAX_DELAY: '200ms',
};

/** What stands behind a connection of the file. */
interface Database {
  /** The variable of the file that names it, with its value. */
  readonly variable: readonly [name: string, value: string];
  /** Takes it away as a crash does. */
  kill(): Promise<void>;
  /** Brings it back where it was. */
  revive(): Promise<void>;
  close(): Promise<void>;
}

/** Databases of this test's own, as it kills them; by the names that their connections have in the file. */
const DATABASES: Readonly<Record<string, (folder: string) => Promise<Database>>> = {
  orders: async () => onServer('POSTGRES_URL', await PostgresServer.start(), (server) => server.url()),
  // PostgreSQL in its place: no CockroachDB is to be had.
  ledger: async () => onServer('COCKROACHDB_URL', await PostgresServer.start(), (server) => server.url()),
  shop: async () => onServer('MARIADB_URL', await MariadbServer.start(), (server) => server.url('mysql')),
  legacy: async () => onServer('MYSQL_URL', await MariadbServer.start(), (server) => server.url('mysql')),
  // The stand-in of the test kit, whose certificate nobody has a reason to trust.
  erp: async () =>
    onServer('MSSQL_URL', await MssqlStandIn.start(), (server) => `${server.url()}?trustServerCertificate=true`),
  local: async (folder) => inProcess('SQLITE_FILE', join(folder, 'app.db')),
  documents: async () => onServer('MONGODB_URL', await FerretdbServer.start(), (server) => server.url('app')),
  sessions: async (folder) => inProcess('KV_FOLDER', join(folder, 'kv')),
};

/** A server that the test kit can start again on the same port and data. */
interface Server {
  start(): Promise<void>;
  stop(mode: 'immediate'): Promise<void>;
  close(): Promise<void>;
}

function onServer<S extends Server>(name: string, server: S, url: (server: S) => string): Database {
  return {
    variable: [name, url(server)],
    kill: () => server.stop('immediate'),
    revive: () => server.start(),
    close: () => server.close(),
  };
}

/** A database in the process: something else stands where it was, as when the disk is not mounted. */
function inProcess(name: string, path: string): Database {
  return {
    variable: [name, path],
    async kill() {
      await rename(path, `${path}.away`);
      await writeFile(path, 'no database');
    },
    async revive() {
      await rm(path);
      await rename(`${path}.away`, path);
    },
    close: async () => {},
  };
}

/** Of each connection of a report by name, whether it is up, and why not. */
type Report = {
  readonly connections: readonly {
    readonly name: string;
    readonly status: string;
    readonly errorCode: string | null;
  }[];
};
const shownIn = ({ connections }: Report) =>
  Object.fromEntries(
    connections.map(({ name, status, errorCode }) => [name, status === 'healthy' ? 'up' : `down: ${errorCode}`]),
  );

const ENTRIES = Object.entries(DATABASES);
const NAMES = Object.keys(DATABASES);
/** All up, but for one. */
const allBut = (down?: string) =>
  Object.fromEntries(NAMES.map((name) => [name, name === down ? expect.stringMatching(/^down: DBM_/) : 'up']));

/** Suites on servers that may be missing, one inside the other. PostgreSQL is a package. */
const onEveryServer = (title: string, define: () => void) =>
  describeWithOwnMariadb('MariaDB', () => describeWithFerretdb(title, define));

onEveryServer('one file with every engine', () => {
  const databases = new Map<string, Database>();
  let folder: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbmanager-all-engines-'));
    const start = async ([name, make]: (typeof ENTRIES)[number]) => databases.set(name, await make(folder));
    await Promise.all(ENTRIES.map(start));
    env = { ...SETTINGS, ...Object.fromEntries([...databases.values()].map(({ variable }) => variable)) };
  }, 120_000);

  afterAll(async () => {
    for (const database of databases.values()) await database.close();
    await rm(folder, { recursive: true });
  });

  const status = async () => {
    const { code, stdout } = await runCommand(['status', '--config', FILE, '--json'], env);
    return { code, shown: shownIn(JSON.parse(stdout) as Report) };
  };

  it('has a connection of every type', async () => {
    const { stdout, code } = await runCommand(['status', '--config', FILE], env);
    for (const { type } of PROVIDERS) expect(stdout).toMatch(new RegExp(`^\\S+ +${type} +ready +healthy `, 'm'));
    expect(code).toBe(0);
  });

  describe.each(NAMES)('%s', (name) => {
    it('is the only row of `dbmanager status` that turns when it is killed', async () => {
      const database = databases.get(name) as Database;
      await database.kill();
      expect((await status()).shown).toEqual(allBut(name));
      await database.revive();
      expect(await status()).toEqual({ code: 0, shown: allBut() });
    }, 60_000);
  });

  it('shows under way which is killed, and heals by itself when it is back', async () => {
    const serve = new Serve(FILE, env);
    try {
      const until = async (wanted: readonly string[]) => {
        for (;;) {
          const up = Object.entries(shownIn((await (await serve.get('/health')).json()) as Report))
            .filter(([, shown]) => shown === 'up')
            .map(([name]) => name);
          if (up.join() === wanted.join()) return;
          await setTimeout(20);
        }
      };
      await until(NAMES);
      for (const name of NAMES) {
        const database = databases.get(name) as Database;
        await database.kill();
        await until(NAMES.filter((other) => other !== name));
        await database.revive();
        await until(NAMES);
      }
      expect(await serve.stop()).toBe(0);
    } finally {
      await serve.stop();
    }
  }, 120_000);
});
