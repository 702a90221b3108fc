import { describeWithMssql } from '@dbmanager/testkit';
import { type Backend, oneBackend } from '../test/one-connection.js';

// A file of its own: Jest on Node 22 cannot load tedious.
describeWithMssql('a connection of type mssql', (server) => {
  const sql = 'select @@spid as id';
  oneBackend(server, {
    types: ['mssql'],
    sql,
    dsn(text) {
      const url = new URL(text);
      url.searchParams.set('trustServerCertificate', 'true');
      return url.href;
    },
    byNative: async (primary, type) => (await primary.native(type).query<Backend>(sql)).recordset,
    inTransaction: async (tx, type) => (await tx.native(type).request().query<Backend>(sql)).recordset,
  });
});
