import { existsSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { describeWithMariadb, sharedMariadb } from './describe-with-mariadb.js';
import { MariadbEndpoint } from './mariadb-endpoint.js';
import { MariadbServer } from './mariadb-server.js';

describeWithMariadb('a MariaDB for tests', (mariadb) => {
  it('is one server for the whole run', async () => {
    expect((await sharedMariadb()).url()).toBe(mariadb().url());
  });

  it('keeps its data and port over a crash, and leaves nothing behind when closed', async () => {
    const server = await MariadbServer.start({ settings: { max_connections: 20 } });
    const admin = new MariadbEndpoint(server.url());
    const [{ folder }] = (await admin.query('SELECT @@datadir AS folder')) as [{ folder: string }];
    await admin.createDatabase('kept');
    await server.stop('immediate');
    await expect(admin.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    expect(await admin.query('SELECT @@max_connections AS max', [], 'kept')).toEqual([{ max: 20 }]);
    await server.close();
    expect(existsSync(folder)).toBe(false);
  }, 60_000);

  it('ends the connections it is asked to', async () => {
    const database = await mariadb().createDatabase();
    const { default: mysql } = await import('mysql2');
    const { host, port, user, password } = mariadb();
    const client = mysql.createConnection({ host, port, user, password, database });
    await client.promise().query('SELECT 1');
    const lost = new Promise((resolve) => client.on('error', resolve));
    expect(await mariadb().killAll(database, 'Sleep')).toBe(1);
    expect(await lost).toBeInstanceOf(Error);
    expect(await mariadb().threads(database)).toEqual([]);
    await mariadb().dropDatabase(database);
  });
});
