import { once } from 'node:events';
import { connect } from 'node:net';

/** True when something takes connections there. */
export async function portListens(port: number, host: string): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // ECONNREFUSED: not yet, or not any more
  } finally {
    socket.destroy();
  }
}
