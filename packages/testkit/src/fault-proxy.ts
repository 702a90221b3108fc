import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';

/** What goes wrong in one direction, on every socket pair of the proxy. Change it at any time. */
export interface DirectionFaults {
  /** Held back this long before it is passed on, in milliseconds. */
  latencyMs: number;
  /** Passed on in pieces of at most this size, each in a packet of its own; `Infinity` is whole. */
  sliceBytes: number;
  /** So many bytes more, then the pair they ran on is cut, and this is `Infinity` again. */
  cutAfterBytes: number;
  /** How it is cut: `end` closes properly (FIN), `reset` does not (RST). */
  cutBy: 'end' | 'reset';
}

const NO_FAULTS: DirectionFaults = {
  latencyMs: 0,
  sliceBytes: Number.POSITIVE_INFINITY,
  cutAfterBytes: Number.POSITIVE_INFINITY,
  cutBy: 'end',
};

/** One socket of a client with the one to the server behind it. */
class Link {
  readonly #sockets: Socket[];
  readonly #severed = new AbortController();
  /** True: both ends stay open and nothing passes. */
  swallowing = false;

  constructor(client: Socket) {
    this.#sockets = [client];
    client.on('error', () => this.sever('end')).on('close', () => this.sever('end'));
    // A swallowed goodbye is not passed on, but the socket of a client that has left must not linger here.
    client.on('end', () => this.swallowing && this.sever('end'));
  }

  get severed(): AbortSignal {
    return this.#severed.signal;
  }

  attach(server: Socket): void {
    this.#sockets.push(server);
    server
      .on('error', () => this.swallowing || this.sever('reset'))
      .on('close', () => this.swallowing || this.sever('end'));
  }

  sever(by: DirectionFaults['cutBy']): void {
    if (this.#severed.signal.aborted) return;
    this.#severed.abort();
    for (const socket of this.#sockets) by === 'reset' ? socket.resetAndDestroy() : socket.destroy();
  }

  /** Passes on what `from` sends, with the faults of that direction, until either side is gone. */
  async pump(from: Socket, to: Socket, faults: DirectionFaults): Promise<void> {
    const { severed } = this;
    try {
      // Left half-open at the end: the other direction may have more to say.
      for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (let rest = chunk; rest.length > 0 && !this.swallowing; ) {
          const sliced = rest.length > faults.sliceBytes;
          const piece = rest.subarray(0, Math.min(rest.length, faults.sliceBytes, faults.cutAfterBytes));
          rest = rest.subarray(piece.length);
          if (faults.latencyMs > 0) await setTimeout(faults.latencyMs, undefined, { signal: severed });
          if (piece.length > 0 && !to.write(piece)) await once(to, 'drain', { signal: severed });
          faults.cutAfterBytes -= piece.length;
          if (faults.cutAfterBytes <= 0) {
            faults.cutAfterBytes = Number.POSITIVE_INFINITY;
            to.end(() => this.sever(faults.cutBy));
            return;
          }
          if (sliced) await setImmediate();
        }
      }
      if (!this.swallowing) to.end();
    } catch (error) {
      // A socket that fails has severed the link already; anything else is a fault of this proxy.
      if (!severed.aborted) throw error;
    }
  }
}

/**
 * A TCP proxy on loopback between a client and a real server that fails as networks do. It starts without faults;
 * every method and property takes effect at once.
 */
export class FaultProxy extends EventEmitter<{ connection: []; disconnection: [] }> {
  #target: { readonly host: string; readonly port: number };
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  #port = 0;
  #accepted = 0;

  /** Faults on the way from client to server. */
  readonly toServer: DirectionFaults = { ...NO_FAULTS };
  /** Faults on the way from server to client. */
  readonly toClient: DirectionFaults = { ...NO_FAULTS };
  /** While true new sockets are accepted and then met with silence; the server sees nothing of them. */
  silent = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    super();
    this.#target = target;
  }

  /** A proxy in front of `target`, on a free port of 127.0.0.1. */
  static async start(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    await proxy.accept();
    return proxy;
  }

  readonly host = '127.0.0.1';

  get port(): number {
    return this.#port;
  }

  /** Sockets of clients that are open now. */
  get live(): number {
    return this.#links.size;
  }

  /** Sockets accepted since the start. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Resolves once no more than `count` sockets of clients are open. */
  async untilLive(count: number): Promise<void> {
    while (this.#links.size > count) await once(this, 'disconnection');
  }

  /** Closes the port: new connects are refused, open sockets stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Opens the port again after {@link refuse}. */
  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#connected(socket));
    this.#server = server;
    server.listen(this.#port, this.host);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Turns the sockets open now into black holes: they stay open and nothing passes any more. New ones are fine. */
  blackHole(): void {
    for (const link of this.#links) link.swallowing = true;
  }

  /** Sends new sockets to another server from now on, as a floating address does after a failover; open ones stay. */
  retarget(target: { readonly host: string; readonly port: number }): void {
    this.#target = target;
  }

  /** Cuts every open socket. */
  cut(by: DirectionFaults['cutBy'] = 'end'): void {
    for (const link of this.#links) link.sever(by);
  }

  /** Takes every fault away from what comes next; black holes stay what they are. */
  heal(): void {
    Object.assign(this.toServer, NO_FAULTS);
    Object.assign(this.toClient, NO_FAULTS);
    this.silent = false;
  }

  /** Closes the port and every socket. */
  close(): void {
    this.refuse();
    this.cut('reset');
  }

  #connected(client: Socket): void {
    const link = new Link(client);
    this.#accepted++;
    this.#links.add(link);
    client.on('close', () => {
      this.#links.delete(link);
      this.emit('disconnection');
    });
    if (this.silent) {
      link.swallowing = true;
      client.resume();
    } else {
      const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
      link.attach(server);
      void link.pump(client, server, this.toServer);
      void link.pump(server, client, this.toClient);
    }
    this.emit('connection');
  }
}
