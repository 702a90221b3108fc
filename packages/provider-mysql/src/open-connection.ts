import type { MysqlConnection } from './mysql-driver.js';

/** Resolves when the connection that `make` gives is authenticated. Whatever else comes of it, no socket is left. */
export function openConnection(make: () => MysqlConnection, signal: AbortSignal): Promise<MysqlConnection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const connection = make();
    // From its first moment to its last: an error event without a listener ends the process.
    connection.on('error', () => {});
    const socket = connection.stream;
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', onAbort);
      connection.stream.destroy();
      // The one below TLS, which may not have got as far as owning it.
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    connection.connect((error) => {
      if (error) return fail(error);
      signal.removeEventListener('abort', onAbort);
      resolve(connection);
    });
  });
}
