import { Secret } from '@dbmanager/core';
import { type TestOptions, testConfig } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import type { MssqlOptions } from './mssql-options.js';
import { mssqlProvider } from './mssql-provider.js';
import { checkTarget, resolveTarget } from './mssql-target.js';
import { quoteIdentifier } from './quote-identifier.js';

const config = (options: TestOptions<MssqlOptions>) => testConfig(mssqlProvider, options, 'primary');

describe('where to connect', () => {
  it('has defaults for all but the login', () => {
    expect(resolveTarget(config({ user: 'app' }))).toEqual({
      host: 'localhost',
      port: 1433,
      user: 'app',
      sslMode: 'verify-full',
      authentication: 'sql',
      readOnlyIntent: false,
      multiSubnetFailover: false,
      applicationName: 'dbmanager:primary',
      useUtc: true,
    });
  });

  it('takes what the DSN says before the parts, and the parts for what it leaves out', () => {
    const dsn = new Secret('mssql://other:p%40ss@db:1434/orders?encrypt=false&applicationIntent=ReadOnly');
    const target = resolveTarget(
      config({ dsn, user: 'app', host: 'elsewhere', instance: 'SALES', multiSubnetFailover: true, sslrootcert: '/ca' }),
    );
    expect(target).toMatchObject({
      host: 'db',
      port: 1434,
      instance: undefined,
      user: 'other',
      database: 'orders',
      sslMode: 'disable',
      sslRootCert: '/ca',
      readOnlyIntent: true,
      multiSubnetFailover: true,
    });
    expect(target.password?.reveal()).toBe('p@ss');
  });

  it.each<[string, TestOptions<MssqlOptions>, object]>([
    ['an instance', { user: 'u', instance: 'SALES' }, { host: 'localhost', instance: 'SALES' }],
    ['an instance behind the host', { user: 'u', host: 'db\\SALES' }, { host: 'db', instance: 'SALES' }],
    ['NTLM by a domain', { user: 'u', domain: 'CORP' }, { authentication: 'ntlm', domain: 'CORP' }],
    [
      'a managed identity, which needs no user',
      { authentication: 'azure-active-directory-msi-vm' },
      { authentication: 'azure-active-directory-msi-vm', user: '' },
    ],
    [
      'a service principal',
      {
        authentication: 'azure-active-directory-service-principal-secret',
        azureClientId: 'i',
        azureClientSecret: new Secret('s'),
        azureTenantId: 't',
      },
      { azureClientId: 'i', azureTenantId: 't' },
    ],
    [
      'a service principal as ADO.NET writes it',
      {
        dsn: new Secret('Server=h;Authentication=Active Directory Service Principal;User Id=i;Password=s;Tenant Id=t'),
      },
      { azureClientId: 'i', azureTenantId: 't' },
    ],
  ])('takes %s', (_, options, expected) => {
    expect(checkTarget(config(options))).toEqual([]);
    expect(resolveTarget(config(options))).toMatchObject(expected);
  });

  it.each<[string, TestOptions<MssqlOptions>, string, RegExp]>([
    ['no user', {}, 'user', /a user is needed/],
    ['no user in the DSN', { dsn: new Secret('mssql://h/d') }, 'dsn', /a user is needed/],
    ['a URL for a host', { user: 'u', host: 'mssql://h' }, 'host', /no host name/],
    ['a socket for a host', { user: 'u', host: '/run/mssql' }, 'host', /no host name/],
    ['a port out of range in the DSN', { dsn: new Secret('mssql://u@h:70000/d') }, 'dsn', /between 1 and 65535/],
    ['a mode of TLS that there is not', { dsn: new Secret('mssql://u@h/?sslmode=some') }, 'dsn', /must be one of/],
    ['NTLM without a domain', { user: 'u', authentication: 'ntlm' }, 'domain', /needs domain/],
    ['no token', { authentication: 'azure-active-directory-access-token' }, 'azure_token', /needs azure_token/],
    ['a DSN of something else', { dsn: new Secret('redis://h') }, 'dsn', /neither of the form/],
  ])('finds %s', (_, options, key, message) => {
    const problems = checkTarget(config(options));
    expect(problems).toContainEqual(expect.objectContaining({ path: [key], message: expect.stringMatching(message) }));
    expect(() => resolveTarget(config(options))).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', connectionName: 'primary' }),
    );
  });

  it('quotes names as SQL Server does', () => {
    expect(quoteIdentifier('a]b"c')).toBe('[a]]b"c]');
  });
});
