import type { TLSSocket } from 'node:tls';
import { readTlsFiles, type TlsCertificates } from '@dbmanager/provider-server';
import type { MssqlTarget } from './mssql-target.js';
import type { TediousConnection } from './tedious-driver.js';

/** What tedious takes for TLS. */
export interface TediousTls {
  readonly encrypt: boolean | 'strict';
  /** Takes any certificate. */
  readonly trustServerCertificate: boolean;
  readonly cryptoCredentialsDetails: TlsCertificates;
  readonly serverName?: string;
}

/** Of a certificate whose authority is known, the names of which do not fit. */
const OTHER_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';

/**
 * TLS as `sslmode` asks for it. Files are read anew each time, so that renewed certificates are taken up. Rejects with
 * `DBM_TLS_FAILED` when one cannot be read.
 */
export async function tediousTls(target: MssqlTarget, connectionName: string): Promise<TediousTls> {
  const { sslMode, sslRootCert, sslServerName } = target;
  if (sslMode === 'disable') return { encrypt: false, trustServerCertificate: true, cryptoCredentialsDetails: {} };
  const files = { sslRootCert, sslCert: undefined, sslKey: undefined };
  return {
    encrypt: sslMode === 'strict' ? 'strict' : true,
    // Of verify-ca the authority is checked by ourselves: tedious checks the name with it.
    trustServerCertificate: sslMode === 'require' || sslMode === 'verify-ca',
    // tedious writes to it.
    cryptoCredentialsDetails: await readTlsFiles(files, connectionName),
    ...(sslServerName !== undefined && { serverName: sslServerName }),
  };
}

/** Has a connection fail whose certificate is not of a known authority, before the password is sent. */
export function verifyAuthority(connection: TediousConnection): void {
  connection.once('secure', (cleartext: TLSSocket) => {
    const { authorized, authorizationError } = cleartext;
    // Node has the code of the error here, whatever its types say.
    const code = String((authorizationError as Error & { code?: string })?.code ?? authorizationError);
    if (authorized || code === OTHER_NAME) return;
    const error = Object.assign(new Error(`the certificate is of no known authority (${code})`), {
      code: `ERR_TLS_${code}`,
    });
    connection.socket?.destroy(error);
  });
}
