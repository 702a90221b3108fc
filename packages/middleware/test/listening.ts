import { once } from 'node:events';
import type { Server } from 'node:http';
import type { RunningApplication } from './framework.js';

/** Listens on a free port of the loopback until closed, with all that clients left open. */
export async function listening(server: Server): Promise<RunningApplication> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
