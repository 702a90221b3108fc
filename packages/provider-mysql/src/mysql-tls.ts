import { checkServerIdentity, type TLSSocket } from 'node:tls';
import type { MysqlConnection } from './mysql-driver.js';

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
