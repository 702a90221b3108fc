import type { ServerMessage, TediousConnection } from './tedious-driver.js';

/** Resolves when the connection that `make` gives has logged in. Whatever else comes of it, no socket is left. */
export function openConnection(make: () => TediousConnection, signal: AbortSignal): Promise<TediousConnection> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const connection = make();
    // From its first moment to its last: an error event without a listener ends the process.
    connection.on('error', () => {});
    let refusal: ServerMessage | undefined;
    // The first says why; what follows is that the login failed.
    const onMessage = (message: ServerMessage) => {
      refusal ??= message;
    };
    const onAbort = () => connection.close();
    connection.on('errorMessage', onMessage);
    signal.addEventListener('abort', onAbort, { once: true });
    connection.connect((error) => {
      signal.removeEventListener('abort', onAbort);
      connection.removeListener('errorMessage', onMessage);
      if (error === undefined && !connection.closed) return resolve(connection);
      connection.close();
      reject(signal.aborted ? signal.reason : withNumber(error, refusal));
    });
  });
}

/** tedious tells of a login that was refused by its text alone; the number says why. */
function withNumber(error: Error | undefined, refusal: ServerMessage | undefined): Error | undefined {
  return error === undefined || refusal === undefined ? error : Object.assign(error, { number: refusal.number });
}
