import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { Cancelled } from './engine/batch-runner.js';
import type { SessionClient, StandInServer } from './engine/server.js';
import type { Session } from './engine/session.js';
import { RequestRunner } from './request-runner.js';
import type { ServerSettings } from './server-settings.js';
import { SqlError } from './sql-error.js';
import { type Login, readLogin } from './wire/login7.js';
import { MESSAGE, type Message, MessageReader, PacketWriter } from './wire/message.js';
import { ENCRYPTION, readPrelogin, writePrelogin } from './wire/prelogin.js';
import { ResponseWriter } from './wire/response-writer.js';
import { encrypt } from './wire/tls-tunnel.js';
import { loginAckToken, utf8AckToken } from './wire/tokens.js';

const NAME = 'SQL Server stand-in';
const VERSION = [16, 0, 1000] as const;
const TDS_7_4 = 0x7400_0004;
const TDS_8_0 = 0x0800_0000;
const DEFAULT_PACKET_SIZE = 4096;
const MAX_PACKET_SIZE = 32_767;

/** What a connection is made with. */
export interface ConnectionSetup {
  readonly server: StandInServer;
  readonly encryption: ServerSettings['encryption'];
  readonly secureContext: SecureContext;
}

/** One connection of a client, from its PRELOGIN to its end. */
export class Connection implements SessionClient {
  readonly #setup: ConnectionSetup;
  #stream: Duplex;
  #reader = new MessageReader();
  #session: Session | undefined;
  #packetSize = DEFAULT_PACKET_SIZE;
  /** The requests that have come, one after the other. */
  #work: Promise<void> = Promise.resolve();
  /** Of the requests that have come and are not done. */
  readonly #controllers = new Map<Message, AbortController>();
  /** Of the request that runs. */
  #writer: ResponseWriter | undefined;
  /** True when the client has gone, or has been told to go. */
  #ended = false;

  constructor(socket: Socket | Duplex, setup: ConnectionSetup) {
    this.#setup = setup;
    this.#stream = socket;
    this.#listen(socket);
  }

  #listen(stream: Duplex): void {
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', () => stream.destroy());
    stream.on('close', () => this.#closed());
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.push(chunk)) this.#take(message);
    } catch {
      this.#stream.destroy(); // no TDS: nothing can be told
    }
  }

  #take(message: Message): void {
    if (message.type === MESSAGE.attention) this.#cancel();
    else this.#controllers.set(message, new AbortController());
    this.#work = this.#work.then(() => this.#answer(message)).catch((error: unknown) => this.#broken(error));
  }

  /** A fault of the stand-in, or an error that ends connections and has been told. */
  #broken(error: unknown): void {
    if (!(error instanceof SqlError)) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    this.#stream.end(() => this.#stream.destroy());
  }

  /** Gives up what runs and what waits for its turn. */
  #cancel(): void {
    for (const controller of this.#controllers.values()) controller.abort(new Cancelled());
  }

  #closed(): void {
    this.#ended = true;
    this.#cancel();
    const session = this.#session;
    // What runs lets go of it first.
    if (session !== undefined) this.#work = this.#work.then(() => this.#setup.server.logOut(session));
  }

  end(reason: SqlError): void {
    this.#writer?.message(reason.sqlMessage);
    this.#writer?.end({ error: true });
    this.#ended = true;
    this.#cancel();
    this.#stream.end(() => this.#stream.destroy());
  }

  async #answer(message: Message): Promise<void> {
    if (this.#ended) return;
    switch (message.type) {
      case MESSAGE.prelogin:
        return this.#prelogin(message.data);
      case MESSAGE.login:
        return this.#login(readLogin(message.data));
      case MESSAGE.attention:
        this.#respond(new AbortController().signal, false).end({ attention: true });
        return;
      default:
        return this.#request(message);
    }
  }

  async #prelogin(data: Buffer): Promise<void> {
    const { encryption } = readPrelogin(data);
    const answer = this.#agree(encryption);
    const [packet] = new PacketWriter(MESSAGE.response).packets(
      writePrelogin(VERSION, answer),
      DEFAULT_PACKET_SIZE,
      true,
    );
    this.#stream.write(packet);
    if (answer !== ENCRYPTION.on && answer !== ENCRYPTION.required) return;
    const plain = this.#stream;
    plain.removeAllListeners('data');
    plain.removeAllListeners('close');
    try {
      this.#stream = await encrypt(plain, this.#setup.secureContext);
    } catch {
      plain.destroy(); // the client has gone, or does not trust the certificate: no fault of the server
      return;
    }
    this.#listen(this.#stream);
  }

  /** What the server says to what the client says about encryption (MS-TDS 2.2.6.5). */
  #agree(client: number | undefined): number {
    // TDS 8.0 has begun with it: nothing is left to agree on.
    if (this.#stream instanceof TLSSocket) return ENCRYPTION.unsupported;
    const { encryption } = this.#setup;
    const wanted = client === ENCRYPTION.on || client === ENCRYPTION.required;
    if (encryption === 'unsupported') return ENCRYPTION.unsupported;
    if (encryption === 'required') return ENCRYPTION.required;
    return wanted ? ENCRYPTION.on : ENCRYPTION.unsupported;
  }

  #login(login: Login): void {
    const writer = this.#respond(new AbortController().signal, false);
    try {
      this.#session = this.#setup.server.logIn(login, this);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      writer.message(error.sqlMessage);
      if (error.number === 4060) {
        writer.message(new SqlError(18_456, `Login failed for user '${login.user}'.`, { severity: 14 }).sqlMessage);
      }
      writer.end({ error: true });
      this.#stream.end();
      return;
    }
    const { name } = this.#session.database;
    const size = Math.min(Math.max(login.packetSize, 512), MAX_PACKET_SIZE);
    writer.environment({ of: 'database', to: name, from: 'master' });
    writer.message({ number: 5701, severity: 0, state: 2, text: `Changed database context to '${name}'.` });
    writer.environment({ of: 'collation' });
    writer.environment({ of: 'language', to: 'us_english', from: '' });
    writer.environment({ of: 'packetSize', to: String(size), from: String(this.#packetSize) });
    writer.token(loginAckToken(NAME, VERSION, login.tdsVersion === TDS_8_0 ? TDS_8_0 : TDS_7_4));
    if (login.utf8) writer.token(utf8AckToken());
    writer.end();
    this.#packetSize = size;
  }

  #respond(signal: AbortSignal, inProcedure: boolean): ResponseWriter {
    const packetSize = this.#packetSize;
    const spid = this.#session?.spid ?? 0;
    return new ResponseWriter(this.#stream, { spid, packetSize, serverName: 'stand-in', signal, inProcedure });
  }

  async #request(message: Message): Promise<void> {
    const session = this.#session;
    const { signal } = this.#controllers.get(message) ?? new AbortController();
    if (session === undefined) {
      this.#stream.destroy(); // a request before the login
      return;
    }
    const writer = this.#respond(signal, message.type === MESSAGE.rpc);
    this.#writer = writer;
    try {
      if (!message.ignored) await new RequestRunner(session, this.#setup.server, writer, signal).run(message);
      if (!this.#ended) writer.end();
    } catch (error) {
      if (this.#ended) return; // by KILL, which has told why
      if (error instanceof SqlError && error.closes) writer.end({ error: true });
      if (!(error instanceof Cancelled)) throw error;
      // As an error does under XACT_ABORT, so a cancellation.
      if (session.options.xactAbort && session.open) session.rollback((change) => writer.environment(change));
      writer.end({ error: true });
    } finally {
      session.running = undefined;
      this.#writer = undefined;
      this.#controllers.delete(message);
    }
  }
}
