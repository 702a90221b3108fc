import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { abortedError, type Clock, DbManagerError, raceSignal, systemClock } from '@dbmanager/core';
import type { EndpointOptions } from './endpoints.js';
import { createRequestListener } from './request-listener.js';

/** Options of {@link HealthServer}. */
export interface HealthServerOptions extends EndpointOptions {
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock | undefined;
}

/** Where a {@link HealthServer} listens. */
export interface ListenOptions {
  /** Default `127.0.0.1`: nobody outside this machine. */
  readonly host?: string | undefined;
  /** Default 9464; 0 is any free one. */
  readonly port?: number | undefined;
  /** Aborting it gives up, with `DBM_ABORTED`; once listening it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

/** Where a server listens, port found included. */
export interface ListeningAddress {
  readonly host: string;
  readonly port: number;
  /** Without a slash at the end. */
  readonly url: string;
}

/** The port of OpenTelemetry's Prometheus exporter. */
export const DEFAULT_PORT = 9464;

/** How long `close()` lets a request that is being answered go on. */
const CLOSE_GRACE_MS = 1_000;

/** A server of its own for the endpoints of one manager. */
export class HealthServer {
  readonly #server: Server;
  readonly #clock: Clock;
  #closed: Promise<void> | undefined;

  /** Assigns only; `listen` opens the port. */
  constructor(options: HealthServerOptions) {
    this.#server = createServer(createRequestListener(options));
    this.#clock = options.clock ?? systemClock;
    // Accepting may fail later (out of file descriptors). Such a connection is lost; the process must not be.
    this.#server.on('error', () => undefined);
  }

  /**
   * Opens the port. Rejects with `DBM_INVALID_OPTION`, naming `host` or `port`, when it cannot be had; listen again with
   * another one then. The server keeps the process alive until `close()`.
   */
  async listen({ host = '127.0.0.1', port = DEFAULT_PORT, signal }: ListenOptions = {}): Promise<ListeningAddress> {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw invalid('port', `port ${port} is not a whole number from 0 to 65535`);
    }
    // Node takes an empty host for "every interface".
    if (host === '') throw invalid('host', 'host is empty; write 0.0.0.0 or :: to listen on every interface');
    if (this.#closed !== undefined) throw new DbManagerError('DBM_CLOSED', 'the server is closed');
    const listening = once(this.#server, 'listening');
    this.#server.listen({ host, port });
    try {
      await raceSignal(listening, signal);
    } catch (error) {
      if (signal?.aborted !== true) throw listenError(error as NodeJS.ErrnoException, host, port);
      // Node cannot take back a listen that is still looking up its host, so that is closed when it has come to an end.
      listening.then(
        () => this.close(),
        () => undefined,
      );
      throw abortedError(signal);
    }
    return addressOf(this.#server.address() as AddressInfo);
  }

  /**
   * Stops listening and closes idle connections; what is being answered may go on for a second, then it is cut. Does
   * nothing the second time. Never rejects.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const timer = this.#clock.setTimer(CLOSE_GRACE_MS, () => this.#server.closeAllConnections(), { keepAlive: true });
    // The callback's only error says that it was not listening: nothing to close then.
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    timer.cancel();
  }
}

function addressOf({ address, port, family }: AddressInfo): ListeningAddress {
  return { host: address, port, url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}` };
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): DbManagerError {
  switch (error.code) {
    case 'EADDRINUSE':
      return invalid('port', `port ${port} of ${host} is in use`, error);
    case 'EACCES':
      return invalid('port', `port ${port} of ${host} needs more rights than this process has`, error);
    default:
      return invalid('host', `cannot listen on ${host}: ${error.code ?? error.message}`, error);
  }
}

function invalid(option: string, message: string, cause?: Error): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { option, ...(cause === undefined ? {} : { cause }) });
}
