import type { ConnectionConfig } from '@dbmanager/core';
import { defined, placeText, readTlsFiles } from '@dbmanager/provider-server';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { MongoClientOptions } from 'mongodb';
import type { MongodbOptions } from './mongodb-options.js';
import type { MongodbTarget } from './mongodb-target.js';

/** What a client is made with. */
export interface ClientSetup {
  /** Without user and password. */
  readonly url: string;
  readonly options: MongoClientOptions;
}

/**
 * What the driver's client is made with. Certificates are read now, once for the life of the client. Rejects with
 * `DBM_TLS_FAILED` when a file cannot be read.
 */
export async function clientSetup(
  target: MongodbTarget,
  { name, options }: ConnectionConfig<MongodbOptions>,
): Promise<ClientSetup> {
  const { user, password, authSource, replicaSet, readPreference, applicationName } = target;
  return {
    url: clientUrl(target),
    options: {
      appName: applicationName,
      maxPoolSize: options.maxOpenConns,
      maxConnecting: options.maxConnecting,
      maxIdleTimeMS: options.connMaxIdleTimeMs,
      waitQueueTimeoutMS: options.acquireTimeoutMs,
      serverSelectionTimeoutMS: options.acquireTimeoutMs,
      connectTimeoutMS: options.connectTimeoutMs,
      socketTimeoutMS: options.queryTimeoutMs,
      ...defined({ authSource, replicaSet, readPreference }),
      ...(user !== undefined && { auth: { username: user, ...(password && { password: password.reveal() }) } }),
      ...(await tlsOptions(target, name)),
    },
  };
}

function clientUrl({ srv, places, database = '', parameters }: MongodbTarget): string {
  const hosts = places.map((place) => (srv ? place.host : placeText(place)));
  const escaped = hosts.map((host) => (host.startsWith('/') ? encodeURIComponent(host) : host));
  const query = parameters.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
  return `mongodb${srv ? '+srv' : ''}://${escaped.join(',')}/${encodeURIComponent(database)}${query && `?${query}`}`;
}

async function tlsOptions(target: MongodbTarget, connectionName: string): Promise<MongoClientOptions> {
  const { sslMode } = target;
  if (sslMode === 'disable') return { tls: false };
  return {
    ...(sslMode !== undefined && { tls: true }),
    ...(sslMode === 'require' && { tlsAllowInvalidCertificates: true, tlsAllowInvalidHostnames: true }),
    ...(sslMode === 'verify-ca' && { tlsAllowInvalidHostnames: true }),
    ...(await readTlsFiles(target, connectionName)),
  };
}
