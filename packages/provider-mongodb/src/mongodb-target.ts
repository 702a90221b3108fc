import { type ConfigProblem, type ConnectionConfig, Secret } from '@dbmanager/core';
import {
  isHost,
  isPort,
  type Report,
  readDsn,
  readTlsTarget,
  resolveTargetBy,
  type ServerPlace,
  splitPlace,
  type TlsFiles,
  targetProblems,
} from '@dbmanager/provider-server';
import { type MongodbDsn, parseMongodbDsn } from './mongodb-dsn.js';
import type { MongodbOptions, READ_PREFERENCES, SSL_MODES } from './mongodb-options.js';

/** Where and how to connect: DSN and parts put together. */
export interface MongodbTarget extends TlsFiles {
  /** The hosts are to be looked up by the SRV record of the one that is named. */
  readonly srv: boolean;
  readonly places: readonly ServerPlace[];
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly database: string | undefined;
  readonly applicationName: string;
  /** These four are undefined where a parameter says it, or nobody does. */
  readonly authSource: string | undefined;
  readonly replicaSet: string | undefined;
  readonly readPreference: (typeof READ_PREFERENCES)[number] | undefined;
  readonly sslMode: (typeof SSL_MODES)[number] | undefined;
  /** Of the connection string. */
  readonly parameters: MongodbDsn['parameters'];
}

/** Puts DSN and parts together. Throws `DBM_INVALID_OPTION` for the first of what {@link checkTarget} finds. */
export function resolveTarget(connection: ConnectionConfig<MongodbOptions>): MongodbTarget {
  return resolveTargetBy(readTarget, connection);
}

/** All that is wrong with how a connection says where to connect. */
export function checkTarget(connection: ConnectionConfig<MongodbOptions>): ConfigProblem[] {
  return targetProblems(readTarget, connection);
}

function readTarget({ name, options }: ConnectionConfig<MongodbOptions>, report: Report): MongodbTarget {
  const read = readDsn(options.dsn, parseMongodbDsn, report);
  const dsn: Partial<MongodbDsn> = read ?? {};
  const { parameters = [], srv = false } = dsn;
  const said = new Set(parameters.map(([parameter]) => parameter.toLowerCase()));
  const unlessSaid = <T>(value: T, ...names: readonly string[]) =>
    names.some((each) => said.has(each)) ? undefined : value;

  const database = dsn.database ?? options.database;
  if (database === undefined && read !== undefined) {
    report(options.dsn === undefined ? 'database' : 'dsn', 'missing', 'a database is needed, in database or in dsn');
  }
  const places = readPlaces(dsn, options, report);
  const ofDsn = dsn.user !== undefined;
  const user = ofDsn ? dsn.user : options.user;
  const password = ofDsn ? dsn.password && new Secret(dsn.password) : options.password;
  const sslMode = unlessSaid(options.sslmode, 'tls', 'ssl', 'tlsinsecure');
  const { sslRootCert, sslCert, sslKey } = readTlsTarget('disable', {}, options, [], report);
  return {
    srv,
    places,
    user,
    password: password === '' ? undefined : password,
    database,
    applicationName: options.applicationName ?? `dbmanager:${name}`,
    authSource:
      user === undefined ? undefined : unlessSaid(options.authSource ?? (ofDsn ? undefined : 'admin'), 'authsource'),
    replicaSet: unlessSaid(options.replicaSet, 'replicaset'),
    readPreference: unlessSaid(options.readPreference, 'readpreference'),
    sslMode,
    sslRootCert,
    sslCert,
    sslKey,
    parameters,
  };
}

function readPlaces(
  { hosts, srv = false }: Partial<MongodbDsn>,
  options: MongodbOptions,
  report: Report,
): ServerPlace[] {
  const key = hosts === undefined ? 'host' : 'dsn';
  // The port of the options belongs to the hosts of the options.
  const standard = hosts === undefined ? options.port : 27_017;
  return (hosts ?? options.host.split(',')).map((text) => {
    const { host, port } = splitPlace(text.trim());
    const place = { host, port: port === '' ? standard : Number(port) };
    if (!isHost(host)) report(key, 'invalid-host', `${key}: a host is no host name, address or path`);
    if (!srv && !isPort(place.port)) report(key, 'out-of-range', `${key}: a port is not between 1 and 65535`);
    return place;
  });
}
