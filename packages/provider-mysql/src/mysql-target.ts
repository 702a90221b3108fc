import type { ConfigProblem, ConnectionConfig, Secret } from '@dbmanager/core';
import {
  isHost,
  isPort,
  oneOf,
  type Report,
  readDsn,
  readLogin,
  readTlsTarget,
  resolveTargetBy,
  type ServerPlace,
  type TlsTarget,
  targetProblems,
} from '@dbmanager/provider-server';
import { type MysqlDsn, parseMysqlDsn } from './mysql-dsn.js';
import { type MysqlOptions, SSL_MODES } from './mysql-options.js';

/** Where and how to connect: DSN and parts put together. */
export interface MysqlTarget extends ServerPlace, TlsTarget {
  readonly user: string;
  readonly password: Secret | undefined;
  readonly database: string | undefined;
  readonly charset: string;
  readonly timezone: string;
  readonly applicationName: string;
  readonly statementCacheSize: number;
  readonly multipleStatements: boolean;
}

/** Puts DSN and parts together. Throws `DBM_INVALID_OPTION` for the first of what {@link checkTarget} finds. */
export function resolveTarget(connection: ConnectionConfig<MysqlOptions>): MysqlTarget {
  return resolveTargetBy(readTarget, connection);
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<MysqlOptions>): ConfigProblem[] {
  return targetProblems(readTarget, connection);
}

function readTarget({ name, options }: ConnectionConfig<MysqlOptions>, report: Report): MysqlTarget {
  const parsed: MysqlDsn | undefined = readDsn(options.dsn, parseMysqlDsn, report);
  const dsn = parsed ?? {};
  const { host, port } = readPlace(dsn, options, report);
  const sslMode = oneOf(dsn.sslmode, SSL_MODES, 'sslmode', report) ?? options.sslmode;
  return {
    ...readLogin(parsed, options, report),
    ...readTlsTarget(sslMode, dsn, options, [host], report),
    host,
    port,
    database: dsn.database ?? options.database,
    charset: dsn.charset ?? options.charset,
    timezone: readTimezone(dsn, options, report),
    applicationName: options.applicationName ?? `dbmanager:${name}`,
    statementCacheSize: options.statementCacheSize,
    multipleStatements: options.multipleStatements,
  };
}

function readPlace(dsn: MysqlDsn, options: MysqlOptions, report: Report): ServerPlace {
  const key = dsn.host === undefined ? 'host' : 'dsn';
  const host = dsn.host ?? options.host;
  if (!isHost(host)) report(key, 'invalid-host', `${key}: the host is no host name, address or path`);
  const port = dsn.port === undefined ? options.port : Number(dsn.port);
  if (!isPort(port)) {
    report('dsn', 'out-of-range', 'dsn: the port is not between 1 and 65535');
  }
  return { host, port };
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
