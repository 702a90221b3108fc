import { existsSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { describeWithPgbouncer, sharedPgbouncer } from './describe-with-pgbouncer.js';
import { describeWithPostgres } from './describe-with-postgres.js';
import { PgbouncerEndpoint } from './pgbouncer-endpoint.js';
import { PgbouncerServer } from './pgbouncer-server.js';

describeWithPostgres('a pooler', (postgres) => {
  describeWithPgbouncer('for tests', (pgbouncer) => {
    it('is one for the whole run, and pools transactions', async () => {
      expect((await sharedPgbouncer()).url()).toBe(pgbouncer().url());
      const config = await pgbouncer().command('SHOW CONFIG');
      expect(config.find(({ key }) => key === 'pool_mode')).toMatchObject({ value: 'transaction' });
    });

    it('keeps its port over a restart, lets in roles that the server knows, and leaves nothing behind when closed', async () => {
      const server = await PgbouncerServer.start(postgres(), { settings: { default_pool_size: 1 } });
      const role = 'guest_of_pooler';
      await postgres().query(`DROP ROLE IF EXISTS ${role}`);
      await postgres().query(`CREATE ROLE ${role} LOGIN PASSWORD 'p@ss'`);
      await server.stop();
      expect(server.running).toBe(false);
      await server.start();
      const { default: pg } = await import('pg');
      const { host, port } = server;
      const client = new pg.Client({ host, port, user: role, password: 'p@ss', database: 'postgres' });
      await client.connect();
      expect((await client.query('SELECT current_user AS name')).rows).toEqual([{ name: role }]);
      const console = new PgbouncerEndpoint(server.url());
      expect(await console.clients('postgres')).toBe(1);
      await client.end();
      const users = (await console.command('SHOW CONFIG')).find(({ key }) => key === 'auth_file')?.value as string;
      expect(existsSync(users)).toBe(true);
      await server.close();
      await postgres().query(`DROP ROLE ${role}`);
      expect(existsSync(users)).toBe(false);
    });
  });
});
