import type { PgClient, PgDriver } from './pg-driver.js';

/**
 * Asks the server to stop what runs on `client`, over a connection of its own, with TLS if the client has it (PostgreSQL
 * protocol, "Canceling Requests in Progress"). Resolves when the server has acted on it, so that a statement sent after
 * that cannot be hit by mistake. Rejects when the server cannot be reached; aborting frees the socket.
 */
export function requestCancel({ Connection }: PgDriver, client: PgClient, signal: AbortSignal): Promise<void> {
  const { processID, secretKey, ssl, host, port } = client;
  return new Promise((resolve, reject) => {
    // A pooler may give no key; without one there is nothing to cancel by.
    if (processID === null || secretKey === null) return resolve();
    if (signal.aborted) return reject(signal.reason);
    const wire = new Connection({ ssl });
    const onAbort = () => wire.stream.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    let failure: unknown;
    wire.on('error', (error: unknown) => {
      failure ??= error;
      wire.stream.destroy();
    });
    // The server answers by closing the connection, once the signal has been sent to the backend.
    wire.on('end', () => {
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) reject(signal.reason);
      else if (failure !== undefined) reject(failure);
      else resolve();
    });
    wire.on('connect', () => (ssl ? wire.requestSsl() : wire.cancel(processID, secretKey)));
    wire.on('sslconnect', () => wire.cancel(processID, secretKey));
    wire.connect(port, host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : host);
  });
}
