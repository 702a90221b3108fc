import type { ConfigProblem, ConnectionConfig, OptionsOf, Secret } from '@dbmanager/core';
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
import type { CockroachdbOptions } from './cockroachdb-options.js';
import { type PostgresDsn, parsePostgresDsn } from './postgres-dsn.js';
import { type PostgresOptions, type PROTOCOL_OPTIONS, SSL_MODES, TARGET_SESSION_ATTRS } from './postgres-options.js';

/** The options of all types that this reads; each type has its own of the later ones. */
export type TargetOptions = OptionsOf<typeof PROTOCOL_OPTIONS> &
  Partial<Pick<PostgresOptions, 'targetSessionAttrs' | 'pooler'> & Pick<CockroachdbOptions, 'cluster'>>;

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
export function resolveTarget(connection: ConnectionConfig<TargetOptions>): PostgresTarget {
  return resolveTargetBy(readTarget, connection);
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<TargetOptions>): ConfigProblem[] {
  return targetProblems(readTarget, connection);
}

function readTarget({ name, options }: ConnectionConfig<TargetOptions>, report: Report): PostgresTarget {
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
    sessionAttrs: readSessionAttrs(dsn, options, report),
    serverOptions: serverOptions(dsn.options, options, report),
  };
}

function readHosts(dsn: PostgresDsn, options: TargetOptions, report: Report): ServerPlace[] {
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

/** Where the type has no such option, every server is as good as another. */
function readSessionAttrs(dsn: PostgresDsn, options: TargetOptions, report: Report): PostgresTarget['sessionAttrs'] {
  const known = options.targetSessionAttrs === undefined ? (['any'] as const) : TARGET_SESSION_ATTRS;
  const said = oneOf(dsn.target_session_attrs, known, 'target_session_attrs', report);
  const attrs = said ?? options.targetSessionAttrs ?? 'any';
  if (options.pooler === 'transaction' && attrs !== 'any') {
    const key = said === undefined ? 'target_session_attrs' : 'dsn';
    report(key, 'unsupported', 'target_session_attrs: the pooler chooses the server');
  }
  return attrs;
}

/** `schema` comes last, so that it wins over a search_path among the options of the DSN. */
function serverOptions(dsnOptions: string | undefined, options: TargetOptions, report: Report): string | undefined {
  const { schema, cluster, pooler } = options;
  if (cluster !== undefined && !/^[\w.-]+$/.test(cluster)) {
    report('cluster', 'malformed', 'cluster: it must be a routing id such as funny-skunk-123');
  }
  const searchPath = schema
    ?.split(',')
    .map((name) => quoteIdentifier(name.trim().replace(/^"(.*)"$/s, '$1')))
    .join(',');
  const words = [
    dsnOptions,
    cluster && `--cluster=${cluster}`,
    searchPath && `-c search_path=${searchPath.replace(/[\\\s]/g, '\\$&')}`,
  ];
  const text = words.filter((word) => word !== undefined && word !== '').join(' ');
  if (text === '') return undefined;
  if (pooler === 'transaction') {
    const [key, what] = searchPath === undefined ? ['dsn', 'options'] : ['schema', 'search_path'];
    report(key, 'unsupported', `a pooler of transactions keeps no ${what}: set it for the role, by ALTER ROLE … SET`);
  }
  return text;
}

/** `name` as a quoted identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
