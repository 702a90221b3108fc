import { readFile } from 'node:fs/promises';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { DbManagerError } from '@dbmanager/core';
import type { MysqlConnection } from './mysql-driver.js';
import type { MysqlTarget } from './mysql-target.js';

/** What mysql2 takes as `ssl`; false is without TLS. */
export type TlsChoice =
  | { readonly rejectUnauthorized: boolean; readonly ca?: string; readonly cert?: string; readonly key?: string }
  | false;

/**
 * The ways to connect that `sslmode` allows, in order: `prefer` tries without TLS when TLS fails. Files are read anew each
 * time, so that renewed certificates are taken up. Rejects with `DBM_TLS_FAILED` when a file cannot be read.
 */
export async function tlsChoices(target: MysqlTarget, connectionName: string): Promise<readonly TlsChoice[]> {
  if (target.sslMode === 'disable') return [false];
  const tls = await tlsOptions(target, connectionName);
  return target.sslMode === 'prefer' ? [tls, false] : [tls];
}

async function tlsOptions(target: MysqlTarget, connectionName: string): Promise<TlsChoice> {
  const file = async (option: string, path: string | undefined) => {
    try {
      return path === undefined ? undefined : await readFile(path, 'utf8');
    } catch (error) {
      throw new DbManagerError('DBM_TLS_FAILED', `${option}: the file ${path} cannot be read`, {
        cause: error,
        connectionName,
        option,
      });
    }
  };
  const [ca, cert, key] = await Promise.all([
    file('sslrootcert', target.sslRootCert),
    file('sslcert', target.sslCert),
    file('sslkey', target.sslKey),
  ]);
  return {
    rejectUnauthorized: target.sslMode.startsWith('verify-'),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/**
 * Has the certificate checked against `host` before the password is sent. mysql2's own `verifyIdentity` compares with
 * `localhost` where the host is an address.
 */
export function verifyHost(connection: MysqlConnection, host: string): void {
  const startTls = connection.startTLS;
  connection.startTLS = (onSecure) => {
    startTls.call(connection, (error) => {
      if (error !== undefined) return onSecure(error);
      const certificate = (connection.stream as TLSSocket).getPeerCertificate();
      onSecure(checkServerIdentity(host, certificate));
    });
  };
}
