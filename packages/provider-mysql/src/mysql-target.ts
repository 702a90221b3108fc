import { isIP } from 'node:net';
import { type ConfigProblem, type ConnectionConfig, DbManagerError, Secret } from '@dbmanager/core';
import { type MysqlDsn, parseMysqlDsn } from './mysql-dsn.js';
import { type MysqlOptions, SSL_MODES } from './mysql-options.js';

/** Where and how to connect: DSN and parts put together. */
export interface MysqlTarget {
  /** A name, an address, or the path of a Unix socket (it starts with `/`). */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret | undefined;
  readonly database: string | undefined;
  readonly sslMode: (typeof SSL_MODES)[number];
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly charset: string;
  readonly timezone: string;
  readonly applicationName: string;
  readonly statementCacheSize: number;
  readonly multipleStatements: boolean;
}

type Report = (key: string, rule: string, message: string) => void;

/** Puts DSN and parts together. Throws `DBM_INVALID_OPTION` for the first of what {@link checkTarget} finds. */
export function resolveTarget(connection: ConnectionConfig<MysqlOptions>): MysqlTarget {
  return readTarget(connection, (key, _rule, message) => {
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: connection.name, option: key });
  });
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<MysqlOptions>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  readTarget(connection, (key, rule, message) => problems.push({ path: [key], rule, message }));
  return problems;
}

/** True for the path of a Unix socket. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/');
}

function readTarget({ name, options }: ConnectionConfig<MysqlOptions>, report: Report): MysqlTarget {
  const dsn = readDsn(options, report);
  const user = dsn.user ?? options.user ?? '';
  if (user === '') report(options.dsn === undefined ? 'user' : 'dsn', 'missing', 'a user is needed, in user or in dsn');
  const sslCert = dsn.sslcert ?? options.sslcert;
  const sslKey = dsn.sslkey ?? options.sslkey;
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    report(sslCert === undefined ? 'sslkey' : 'sslcert', 'incomplete', 'sslcert and sslkey go together');
  }
  const { host, port } = readPlace(dsn, options, report);
  const sslMode = readSslMode(dsn, report) ?? options.sslmode;
  if (sslMode === 'verify-full' && isSocketPath(host)) {
    report('sslmode', 'unsupported', 'a Unix socket has no host name that verify-full could check');
  }
  return {
    host,
    port,
    user,
    password: dsn.password === undefined ? options.password : new Secret(dsn.password),
    database: dsn.database ?? options.database,
    sslMode,
    sslRootCert: dsn.sslrootcert ?? options.sslrootcert,
    sslCert,
    sslKey,
    charset: dsn.charset ?? options.charset,
    timezone: readTimezone(dsn, options, report),
    applicationName: options.applicationName ?? `dbmanager:${name}`,
    statementCacheSize: options.statementCacheSize,
    multipleStatements: options.multipleStatements,
  };
}

function readDsn({ dsn }: MysqlOptions, report: Report): MysqlDsn {
  if (dsn === undefined) return {};
  try {
    return parseMysqlDsn(dsn.reveal());
  } catch (error) {
    if (!(error instanceof DbManagerError)) throw error;
    report('dsn', 'invalid-dsn', error.message);
    return {};
  }
}

function readPlace(dsn: MysqlDsn, options: MysqlOptions, report: Report): { host: string; port: number } {
  const key = dsn.host === undefined ? 'host' : 'dsn';
  const host = dsn.host ?? options.host;
  if (!isHost(host)) report(key, 'invalid-host', `${key}: the host is no host name, address or path`);
  const port = dsn.port === undefined ? options.port : Number(dsn.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    report('dsn', 'out-of-range', 'dsn: the port is not between 1 and 65535');
  }
  return { host, port };
}

function isHost(host: string): boolean {
  return isSocketPath(host) || isIP(host) !== 0 || /^[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*)$/u.test(host);
}

function readSslMode({ sslmode }: MysqlDsn, report: Report): MysqlTarget['sslMode'] | undefined {
  if (sslmode === undefined) return undefined;
  const found = SSL_MODES.find((mode) => mode === sslmode);
  if (found === undefined) report('dsn', 'invalid-dsn', `dsn: sslmode must be one of ${SSL_MODES.join(', ')}`);
  return found;
}

function readTimezone(dsn: MysqlDsn, options: MysqlOptions, report: Report): string {
  const key = dsn.timezone === undefined ? 'timezone' : 'dsn';
  const timezone = dsn.timezone ?? options.timezone;
  if (!/^(?:Z|local|[+-](?:0\d|1[0-4]):[0-5]\d)$/.test(timezone)) {
    report(key, 'malformed', `${key}: the time zone must be Z, local, or an offset such as +02:00`);
  }
  return timezone;
}

/** `name` as a quoted identifier. */
export function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
