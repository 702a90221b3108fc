import type { ConfigProblem, ConnectionConfig } from '@dbmanager/core';
import { Secret } from '@dbmanager/core';
import {
  isHost,
  isPort,
  isSocketPath,
  oneOf,
  type Report,
  readDsn,
  readLogin,
  resolveTargetBy,
  splitOnce,
  targetProblems,
} from '@dbmanager/provider-server';
import { type MssqlDsn, parseMssqlDsn } from './mssql-dsn.js';
import { APPLICATION_INTENTS, AUTHENTICATIONS, type MssqlOptions, SSL_MODES } from './mssql-options.js';

/** How to log in. */
export type Authentication = (typeof AUTHENTICATIONS)[number];

/** Where and how to connect: DSN and parts put together. */
export interface MssqlTarget {
  readonly host: string;
  readonly port: number;
  /** Whose port is asked for, in place of `port`. */
  readonly instance: string | undefined;
  readonly user: string;
  readonly password: Secret | undefined;
  readonly database: string | undefined;
  readonly sslMode: (typeof SSL_MODES)[number];
  readonly sslRootCert: string | undefined;
  readonly sslServerName: string | undefined;
  readonly authentication: Authentication;
  readonly domain: string | undefined;
  readonly azureClientId: string | undefined;
  readonly azureClientSecret: Secret | undefined;
  readonly azureTenantId: string | undefined;
  readonly azureToken: Secret | undefined;
  readonly readOnlyIntent: boolean;
  readonly multiSubnetFailover: boolean;
  readonly applicationName: string;
  readonly useUtc: boolean;
}

/** What else each way to log in needs. */
const NEEDS: Readonly<Record<Authentication, readonly (keyof MssqlDsn)[]>> = {
  sql: ['user'],
  ntlm: ['user', 'domain'],
  'azure-active-directory-default': [],
  'azure-active-directory-password': ['user', 'azure_client_id'],
  'azure-active-directory-access-token': ['azure_token'],
  'azure-active-directory-msi-vm': [],
  'azure-active-directory-msi-app-service': [],
  'azure-active-directory-service-principal-secret': ['azure_client_id', 'azure_client_secret', 'azure_tenant_id'],
};

/** Puts DSN and parts together. Throws `DBM_INVALID_OPTION` for the first of what {@link checkTarget} finds. */
export function resolveTarget(connection: ConnectionConfig<MssqlOptions>): MssqlTarget {
  return resolveTargetBy(readTarget, connection);
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<MssqlOptions>): ConfigProblem[] {
  return targetProblems(readTarget, connection);
}

function readTarget({ name, options }: ConnectionConfig<MssqlOptions>, report: Report): MssqlTarget {
  const parsed: MssqlDsn | undefined = readDsn(options.dsn, parseMssqlDsn, report);
  const dsn = parsed ?? {};
  const domain = dsn.domain ?? options.domain;
  const authentication =
    oneOf(dsn.authentication, AUTHENTICATIONS, 'authentication', report) ??
    options.authentication ??
    (domain === undefined ? 'sql' : 'ntlm');
  const intent =
    oneOf(dsn.application_intent, APPLICATION_INTENTS, 'application_intent', report) ?? options.applicationIntent;
  const multiSubnetFailover = dsn.multi_subnet_failover;
  const login = readUser(parsed, options, authentication, report);
  // ADO.NET has an application's id and secret where a user's name and password are.
  const isApplication = !NEEDS[authentication].includes('user');
  const target: MssqlTarget = {
    ...readPlace(dsn, options, report),
    ...login,
    database: dsn.database ?? options.database,
    sslMode: oneOf(dsn.sslmode, SSL_MODES, 'sslmode', report) ?? options.sslmode,
    sslRootCert: dsn.sslrootcert ?? options.sslrootcert,
    sslServerName: dsn.ssl_server_name ?? options.sslServerName,
    authentication,
    domain,
    azureClientId:
      dsn.azure_client_id ?? options.azureClientId ?? (isApplication && login.user !== '' ? login.user : undefined),
    azureClientSecret:
      secret(dsn.azure_client_secret) ?? options.azureClientSecret ?? (isApplication ? login.password : undefined),
    azureTenantId: dsn.azure_tenant_id ?? options.azureTenantId,
    azureToken: secret(dsn.azure_token) ?? options.azureToken,
    readOnlyIntent: intent === 'read-only',
    multiSubnetFailover:
      multiSubnetFailover === undefined ? options.multiSubnetFailover : multiSubnetFailover === 'true',
    applicationName: dsn.application_name ?? options.applicationName ?? `dbmanager:${name}`,
    useUtc: options.useUtc,
  };
  if (parsed !== undefined) reportMissing(target, report);
  return target;
}

function readPlace(dsn: MssqlDsn, options: MssqlOptions, report: Report) {
  const key = dsn.host === undefined ? 'host' : 'dsn';
  const [partHost, partInstance] = splitOnce(options.host, '\\');
  const host = dsn.host ?? partHost;
  if (!isHost(host) || isSocketPath(host)) report(key, 'invalid-host', `${key}: the host is no host name or address`);
  const port = dsn.port === undefined ? options.port : Number(dsn.port);
  if (!isPort(port)) report('dsn', 'out-of-range', 'dsn: the port is not between 1 and 65535');
  // A port that the string gives goes before an instance, as it does everywhere.
  const instance = dsn.host === undefined ? (dsn.instance ?? options.instance ?? partInstance) : dsn.instance;
  return { host, port, instance: dsn.port === undefined ? instance : undefined };
}

function readUser(
  dsn: MssqlDsn | undefined,
  options: MssqlOptions,
  authentication: Authentication,
  report: Report,
): Pick<MssqlTarget, 'user' | 'password'> {
  if (NEEDS[authentication].includes('user')) return readLogin(dsn, options, report);
  return readLogin(dsn, options, () => {});
}

function reportMissing(target: MssqlTarget, report: Report): void {
  const given: Partial<Record<keyof MssqlDsn, unknown>> = {
    domain: target.domain,
    azure_client_id: target.azureClientId,
    azure_client_secret: target.azureClientSecret,
    azure_tenant_id: target.azureTenantId,
    azure_token: target.azureToken,
  };
  for (const key of NEEDS[target.authentication]) {
    if (key === 'user' || given[key] !== undefined) continue;
    report(key, 'missing', `authentication ${target.authentication} needs ${key}`);
  }
}

function secret(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}
