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
  splitPlace,
  type TlsTarget,
  targetProblems,
} from '@dbmanager/provider-server';
import { type PostgresDsn, parsePostgresDsn } from './postgres-dsn.js';
import { type PostgresOptions, SSL_MODES, TARGET_SESSION_ATTRS } from './postgres-options.js';

/** Where and how to connect: DSN and parts put together. */
export interface PostgresTarget extends TlsTarget {
  /** The servers to try; for one on a Unix socket the folder of that. */
  readonly hosts: readonly ServerPlace[];
  readonly user: string;
  readonly password: Secret | undefined;
  readonly database: string;
  readonly applicationName: string;
  readonly sessionAttrs: (typeof TARGET_SESSION_ATTRS)[number];
  /** The start-up parameter `options`: settings as `-c name=value`; undefined when there are none. */
  readonly serverOptions: string | undefined;
}

/** Puts DSN and parts together. Throws `DBM_INVALID_OPTION` for the first of what {@link checkTarget} finds. */
export function resolveTarget(connection: ConnectionConfig<PostgresOptions>): PostgresTarget {
  return resolveTargetBy(readTarget, connection);
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<PostgresOptions>): ConfigProblem[] {
  return targetProblems(readTarget, connection);
}

function readTarget({ name, options }: ConnectionConfig<PostgresOptions>, report: Report): PostgresTarget {
  const parsed: PostgresDsn | undefined = readDsn(options.dsn, parsePostgresDsn, report);
  const dsn = parsed ?? {};
  const { user, password } = readLogin(parsed, options, report);
  const hosts = readHosts(dsn, options, report);
  const sslMode = oneOf(dsn.sslmode, SSL_MODES, 'sslmode', report) ?? options.sslmode;
  return {
    ...readTlsTarget(
      sslMode,
      dsn,
      options,
      hosts.map(({ host }) => host),
      report,
    ),
    hosts,
    user,
    password,
    database: dsn.dbname ?? options.database ?? user,
    applicationName: dsn.application_name ?? options.applicationName ?? `dbmanager:${name}`,
    sessionAttrs:
      oneOf(dsn.target_session_attrs, TARGET_SESSION_ATTRS, 'target_session_attrs', report) ??
      options.targetSessionAttrs,
    serverOptions: serverOptions(dsn.options, options.schema),
  };
}

function readHosts(dsn: PostgresDsn, options: PostgresOptions, report: Report): ServerPlace[] {
  const key = dsn.host === undefined ? 'host' : 'dsn';
  const places = dsn.host === undefined ? options.host.split(',').map((place) => splitPlace(place.trim())) : [];
  for (const host of dsn.host?.split(',') ?? []) places.push({ host, port: '' });
  const ports = dsn.port?.split(',') ?? [];
  if (ports.length > 1 && ports.length !== places.length) {
    report('dsn', 'invalid-dsn', `dsn: it has ${places.length} hosts and ${ports.length} ports`);
  }
  return places.map(({ host, port }, index) => {
    if (!isHost(host)) report(key, 'invalid-host', `${key}: host ${index + 1} is no host name, address or folder`);
    const text = (port === '' ? (ports[index] ?? ports[0]) : port) ?? '';
    const number = text === '' ? options.port : Number(text);
    if (!isPort(number)) {
      report(key, 'out-of-range', `${key}: the port of host ${index + 1} is not between 1 and 65535`);
    }
    return { host, port: number };
  });
}

/** `schema` comes last, so that it wins over a search_path among the options of the DSN. */
function serverOptions(dsnOptions: string | undefined, schema: string | undefined): string | undefined {
  const searchPath = schema
    ?.split(',')
    .map((name) => quoteIdentifier(name.trim().replace(/^"(.*)"$/s, '$1')))
    .join(',');
  const words = [dsnOptions, searchPath && `-c search_path=${searchPath.replace(/[\\\s]/g, '\\$&')}`];
  return words.filter((word) => word !== undefined && word !== '').join(' ') || undefined;
}

/** `name` as a quoted identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
