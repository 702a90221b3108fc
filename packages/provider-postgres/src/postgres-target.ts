import { isIP } from 'node:net';
import { type ConfigProblem, type ConnectionConfig, DbManagerError, Secret } from '@dbmanager/core';
import { type PostgresDsn, parsePostgresDsn, splitPlace } from './postgres-dsn.js';
import { type PostgresOptions, SSL_MODES, TARGET_SESSION_ATTRS } from './postgres-options.js';

/** One of the servers to try. */
export interface PostgresHost {
  /** A name, an address, or the folder of a Unix socket (it starts with `/`). */
  readonly host: string;
  readonly port: number;
}

/** Where and how to connect: DSN and parts put together. */
export interface PostgresTarget {
  readonly hosts: readonly PostgresHost[];
  readonly user: string;
  readonly password: Secret | undefined;
  readonly database: string;
  readonly sslMode: (typeof SSL_MODES)[number];
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly applicationName: string;
  readonly sessionAttrs: (typeof TARGET_SESSION_ATTRS)[number];
  /** The start-up parameter `options`: settings as `-c name=value`; undefined when there are none. */
  readonly serverOptions: string | undefined;
}

type Report = (key: string, rule: string, message: string) => void;

/** Puts DSN and parts together. Throws `DBM_INVALID_OPTION` for the first of what {@link checkTarget} finds. */
export function resolveTarget(connection: ConnectionConfig<PostgresOptions>): PostgresTarget {
  return readTarget(connection, (key, _rule, message) => {
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: connection.name, option: key });
  });
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<PostgresOptions>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  readTarget(connection, (key, rule, message) => problems.push({ path: [key], rule, message }));
  return problems;
}

function readTarget({ name, options }: ConnectionConfig<PostgresOptions>, report: Report): PostgresTarget {
  const parsed = readDsn(options, report);
  const dsn = parsed ?? {};
  const user = dsn.user ?? options.user ?? '';
  // What a DSN that cannot be read leaves out says nothing.
  if (user === '' && parsed !== undefined) {
    report(options.dsn === undefined ? 'user' : 'dsn', 'missing', 'a user is needed, in user or in dsn');
  }
  const sslCert = dsn.sslcert ?? options.sslcert;
  const sslKey = dsn.sslkey ?? options.sslkey;
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    report(sslCert === undefined ? 'sslkey' : 'sslcert', 'incomplete', 'sslcert and sslkey go together');
  }
  const hosts = readHosts(dsn, options, report);
  const sslMode = oneOf(dsn.sslmode, SSL_MODES, 'sslmode', report) ?? options.sslmode;
  if (sslMode === 'verify-full' && hosts.some(({ host }) => host.startsWith('/'))) {
    report('sslmode', 'unsupported', 'a Unix socket has no host name that verify-full could check');
  }
  return {
    hosts,
    user,
    password: dsn.password === undefined ? options.password : new Secret(dsn.password),
    database: dsn.dbname ?? options.database ?? user,
    sslMode,
    sslRootCert: dsn.sslrootcert ?? options.sslrootcert,
    sslCert,
    sslKey,
    applicationName: dsn.application_name ?? options.applicationName ?? `dbmanager:${name}`,
    sessionAttrs:
      oneOf(dsn.target_session_attrs, TARGET_SESSION_ATTRS, 'target_session_attrs', report) ??
      options.targetSessionAttrs,
    serverOptions: serverOptions(dsn.options, options.schema),
  };
}

/** Undefined when it cannot be read. */
function readDsn({ dsn }: PostgresOptions, report: Report): PostgresDsn | undefined {
  if (dsn === undefined) return {};
  try {
    return parsePostgresDsn(dsn.reveal());
  } catch (error) {
    if (!(error instanceof DbManagerError)) throw error;
    report('dsn', 'invalid-dsn', error.detail.replace(/^dsn: /, ''));
    return undefined;
  }
}

function readHosts(dsn: PostgresDsn, options: PostgresOptions, report: Report): PostgresHost[] {
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
    if (!Number.isInteger(number) || number < 1 || number > 65_535) {
      report(key, 'out-of-range', `${key}: the port of host ${index + 1} is not between 1 and 65535`);
    }
    return { host, port: number };
  });
}

function isHost(host: string): boolean {
  return host.startsWith('/') || isIP(host) !== 0 || /^[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*)$/u.test(host);
}

function oneOf<const V extends string>(
  value: string | undefined,
  values: readonly V[],
  key: string,
  report: Report,
): V | undefined {
  if (value === undefined) return undefined;
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) report('dsn', 'invalid-dsn', `dsn: ${key} must be one of ${values.join(', ')}`);
  return found;
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
