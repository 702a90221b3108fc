import type { ConnectionOptions } from 'node:tls';
import type { TlsTarget } from '@dbmanager/provider-server';

/** Which certificates of servers are taken, as `node:tls` is told. */
export function verification({ sslMode, sslRootCert }: TlsTarget): ConnectionOptions {
  if (sslMode === 'verify-full') return { rejectUnauthorized: true };
  const authority = sslMode === 'verify-ca' || (sslMode === 'require' && sslRootCert !== undefined);
  // The certificate may name any host: that is what sets verify-ca apart from verify-full.
  return authority ? { rejectUnauthorized: true, checkServerIdentity: () => undefined } : { rejectUnauthorized: false };
}
