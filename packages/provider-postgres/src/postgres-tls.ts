import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { DbManagerError } from '@dbmanager/core';
import type { PostgresTarget } from './postgres-target.js';

/** TLS settings of one attempt; false is without TLS. */
export type TlsChoice = ConnectionOptions | false;

/**
 * The ways to connect that `sslmode` allows, in order: `prefer` tries without TLS when TLS fails, `allow` the other way
 * round. Files are read anew each time, so that renewed certificates are taken up.
 *
 * Rejects with `DBM_TLS_FAILED` when a file cannot be read.
 */
export async function tlsChoices(target: PostgresTarget, connectionName: string): Promise<readonly TlsChoice[]> {
  if (target.sslMode === 'disable') return [false];
  const tls = await tlsOptions(target, connectionName);
  if (target.sslMode === 'allow') return [false, tls];
  return target.sslMode === 'prefer' ? [tls, false] : [tls];
}

async function tlsOptions(target: PostgresTarget, connectionName: string): Promise<ConnectionOptions> {
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
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...verification(target),
  };
}

function verification({ sslMode, sslRootCert }: PostgresTarget): ConnectionOptions {
  if (sslMode === 'verify-full') return { rejectUnauthorized: true };
  const authority = sslMode === 'verify-ca' || (sslMode === 'require' && sslRootCert !== undefined);
  // The certificate may name any host: that is what sets verify-ca apart from verify-full.
  return authority ? { rejectUnauthorized: true, checkServerIdentity: () => undefined } : { rejectUnauthorized: false };
}
