import { describe, expect, it } from '@jest/globals';
import { parseMssqlDsn } from './mssql-dsn.js';

describe('a DSN of SQL Server', () => {
  it.each<[string, object]>([
    ['mssql://host', { host: 'host' }],
    ['mssql://u:p@h:1434/d', { user: 'u', password: 'p', host: 'h', port: '1434', database: 'd' }],
    [`mssql://u:p%40ss%20w%2F%27%22@h/d%2Fe`, { user: 'u', password: `p@ss w/'"`, host: 'h', database: 'd/e' }],
    ['mssql://u:a:b@[::1]:1433/', { user: 'u', password: 'a:b', host: '::1', port: '1433' }],
    ['mssql://u:%3B%7D@h/d', { user: 'u', password: ';}', host: 'h', database: 'd' }],
    ['mssql://h/d?encrypt=false', { host: 'h', database: 'd', sslmode: 'disable' }],
    ['mssql://h/d?encrypt=true&trustServerCertificate=true', { host: 'h', database: 'd', sslmode: 'require' }],
    [
      'mssql://h/d?sslmode=verify-ca&sslrootcert=%2Fca.pem',
      { host: 'h', database: 'd', sslmode: 'verify-ca', sslrootcert: '/ca.pem' },
    ],
    ['sqlserver://sa:p@h:1433?database=d', { user: 'sa', password: 'p', host: 'h', port: '1433', database: 'd' }],
    [
      'sqlserver://sa:p@h/SQLEXPRESS?database=d&app%20name=x',
      { user: 'sa', password: 'p', host: 'h', instance: 'SQLEXPRESS', database: 'd', application_name: 'x' },
    ],
    [
      'sqlserver://h:1433;database=d;user=u;password={p;w}}@/};encrypt=true;trustServerCertificate=true',
      { host: 'h', port: '1433', database: 'd', user: 'u', password: 'p;w}@/', sslmode: 'require' },
    ],
    [
      'jdbc:sqlserver://h\\SALES;databaseName=d;user=u;password=p@w;multiSubnetFailover=true;applicationIntent=ReadOnly;',
      {
        host: 'h',
        instance: 'SALES',
        database: 'd',
        user: 'u',
        password: 'p@w',
        multi_subnet_failover: 'true',
        application_intent: 'read-only',
      },
    ],
    [
      'Server=tcp:h.example.com,1434;Initial Catalog=d;Persist Security Info=False;User ID=u;Password=p@w=1;MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;Connection Timeout=30;',
      { host: 'h.example.com', port: '1434', database: 'd', user: 'u', password: 'p@w=1', sslmode: 'verify-full' },
    ],
    [
      `Data Source=.\\SQLEXPRESS;Uid=u;Pwd="a;'""b"`,
      { host: 'localhost', instance: 'SQLEXPRESS', user: 'u', password: `a;'"b` },
    ],
    [
      `server=(local);user id=CORP\\u;pwd='it''s; '`,
      { host: 'localhost', user: 'u', domain: 'CORP', password: `it's; ` },
    ],
    ['Server=h;Encrypt=Strict;HostNameInCertificate=db', { host: 'h', sslmode: 'strict', ssl_server_name: 'db' }],
    ['Server=h;Encrypt=Optional', { host: 'h', sslmode: 'disable' }],
    ['Server=h;TrustServerCertificate=yes;Integrated Security=false', { host: 'h', sslmode: 'require' }],
    [
      'Server=h;Authentication=Active Directory Service Principal;User Id=i;Password=s',
      { host: 'h', authentication: 'azure-active-directory-service-principal-secret', user: 'i', password: 's' },
    ],
    ['Driver={ODBC Driver 18 for SQL Server};Server=h,1;Database=d', { host: 'h', port: '1', database: 'd' }],
  ])('reads %j', (text, expected) => {
    expect(parseMssqlDsn(text)).toEqual(expected);
  });

  it.each([
    'postgres://u:hunter2@h/d',
    'hunter2',
    'mssql://u:hunter2%zz@h/d',
    'mssql://u@h/d?hunter2=1',
    'mssql://h/d?encrypt=hunter2',
    'sqlserver://u:hunter2@h:1433/d',
    'Server=h;Password=hunter2;hunter2',
    'Server=h;hunter2=1',
    'Server=h;TrustServerCertificate=hunter2',
    'Server=h;Integrated Security=SSPI;Password=hunter2',
  ])('refuses %j without showing any of it', (text) => {
    expect(() => parseMssqlDsn(text)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'dsn' }));
    expect(() => parseMssqlDsn(text)).not.toThrow(/hunter2/);
  });
});
