import { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { MESSAGE, MessageReader, PacketWriter } from './message.js';

const PACKET_SIZE = 4096;

/**
 * What TLS is spoken over: during the handshake PRELOGIN messages of the connection, after that the connection itself
 * (MS-TDS 3.2.5.2).
 */
class HandshakeTunnel extends Duplex {
  readonly #socket: Duplex;
  readonly #reader = new MessageReader();
  #handshaking = true;
  #flight: Buffer[] = [];
  #scheduled = false;

  constructor(socket: Duplex) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('close', () => this.destroy());
    socket.on('drain', () => this.emit('tunnelDrain'));
  }

  /** The handshake is over: what the client sends after its last part is TLS as it is. */
  finish(): void {
    setImmediate(() => {
      this.#flush();
      this.#handshaking = false;
    });
  }

  #receive(chunk: Buffer): void {
    if (!this.#handshaking) {
      if (!this.push(chunk)) this.#socket.pause();
      return;
    }
    for (const { data } of this.#reader.push(chunk)) this.push(data);
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    if (!this.#handshaking) {
      if (this.#socket.write(chunk)) callback();
      else this.#socket.once('drain', () => callback());
      return;
    }
    // The client expects one message for each of its own: all that TLS writes at once goes together.
    this.#flight.push(chunk);
    if (!this.#scheduled) setImmediate(() => this.#flush());
    this.#scheduled = true;
    callback();
  }

  #flush(): void {
    this.#scheduled = false;
    const flight = Buffer.concat(this.#flight.splice(0));
    if (flight.length === 0) return;
    for (const packet of new PacketWriter(MESSAGE.prelogin).packets(flight, PACKET_SIZE, true))
      this.#socket.write(packet);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }
}

/** Makes a connection that has just agreed on encryption an encrypted one. Rejects when the handshake fails. */
export function encrypt(socket: Duplex, secureContext: SecureContext): Promise<TLSSocket> {
  const tunnel = new HandshakeTunnel(socket);
  const secured = new TLSSocket(tunnel, { isServer: true, secureContext });
  return new Promise((resolve, reject) => {
    secured.once('error', reject);
    secured.once('close', () => reject(new Error('closed during the TLS handshake')));
    secured.once('secure', () => {
      secured.off('error', reject);
      tunnel.finish();
      resolve(secured);
    });
  });
}
