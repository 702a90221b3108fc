import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A TCP relay on loopback that lets each new socket wait before it goes on to the server: connecting takes longer, queries do not. */
export class SlowDoor {
  /** How long new sockets wait. Takes effect at once. */
  delayMs = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #accepted = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer({ noDelay: true }, (client) => void this.#admit(client, target));
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<SlowDoor> {
    const door = new SlowDoor(target);
    door.#server.listen(0, '127.0.0.1');
    await once(door.#server, 'listening');
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Sockets accepted since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Closes the port and every socket. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #admit(client: Socket, target: { readonly host: string; readonly port: number }): Promise<void> {
    this.#accepted++;
    this.#keep(client);
    if (this.delayMs > 0) await sleep(this.delayMs);
    if (client.destroyed) return;
    const server = connect({ ...target, noDelay: true });
    this.#keep(server);
    client.pipe(server).pipe(client);
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
  }

  /** Until it closes; an error closes it. */
  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => this.#sockets.delete(socket));
  }
}
