import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { BatchRunner, Cancelled } from './engine/batch-runner.js';
import { type ProcedureCall, procedureNamed } from './engine/procedures.js';
import type { SessionClient, StandInServer } from './engine/server.js';
import type { Session } from './engine/session.js';
import type { ServerSettings } from './server-settings.js';
import { SqlError } from './sql-error.js';
import { readBatch } from './wire/batch-request.js';
import { type Login, readLogin } from './wire/login7.js';
import { MESSAGE, type Message, MessageReader, PacketWriter } from './wire/message.js';
import { ENCRYPTION, readPrelogin, writePrelogin } from './wire/prelogin.js';
import { ResponseWriter } from './wire/response-writer.js';
import { readRpc } from './wire/rpc-request.js';
import { encrypt } from './wire/tls-tunnel.js';
import { loginAckToken, utf8AckToken } from './wire/tokens.js';
import { readTransactionRequest } from './wire/transaction-request.js';

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
  /** Of the request that runs. */
  #running: AbortController | undefined;
  #writer: ResponseWriter | undefined;
  /** The transaction that was open when the last request came: its reset bit may have ended it since. */
  #belongedTo = 0n;

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
    if (message.type === MESSAGE.attention) this.#running?.abort(new Cancelled());
    this.#work = this.#work.then(() => this.#answer(message)).catch((error: unknown) => this.#broken(error));
  }

  /** A fault of the stand-in, or an error that ends connections and has been told. */
  #broken(error: unknown): void {
    if (!(error instanceof SqlError)) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    this.#stream.end(() => this.#stream.destroy());
  }

  #closed(): void {
    this.#running?.abort(new Cancelled());
    const session = this.#session;
    this.#session = undefined;
    // What runs lets go of it first.
    if (session !== undefined) this.#work = this.#work.then(() => this.#setup.server.logOut(session));
  }

  end(reason: SqlError): void {
    if (this.#running !== undefined && this.#writer !== undefined) {
      this.#writer.message(reason.sqlMessage);
      this.#writer.end({ error: true });
    }
    this.#session = undefined;
    this.#running?.abort(new Cancelled());
    this.#stream.end(() => this.#stream.destroy());
  }

  async #answer(message: Message): Promise<void> {
    if (this.#stream.destroyed) return;
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
    const [packet] = new PacketWriter(MESSAGE.prelogin).packets(
      writePrelogin(VERSION, answer),
      DEFAULT_PACKET_SIZE,
      true,
    );
    this.#stream.write(packet);
    if (answer !== ENCRYPTION.on && answer !== ENCRYPTION.required) return;
    const plain = this.#stream;
    plain.removeAllListeners('data');
    plain.removeAllListeners('close');
    this.#stream = await encrypt(plain, this.#setup.secureContext);
    this.#listen(this.#stream);
  }

  /** What the server says to what the client says about encryption (MS-TDS 2.2.6.5). */
  #agree(client: number | undefined): number {
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
    if (session === undefined) {
      this.#stream.destroy(); // a request before the login
      return;
    }
    const running = new AbortController();
    const writer = this.#respond(running.signal, message.type === MESSAGE.rpc);
    if (message.ignored) {
      writer.end();
      return;
    }
    this.#running = running;
    this.#writer = writer;
    this.#belongedTo = session.transaction;
    try {
      if (message.reset !== 'none') session.reset(message.reset !== 'all', (change) => writer.environment(change));
      await this.#run(message, session, writer, running.signal);
      if (this.#session !== undefined) writer.end();
    } catch (error) {
      if (this.#session === undefined) return; // ended by KILL, which has told why
      if (error instanceof SqlError && error.closes) {
        writer.end({ error: true });
        throw error;
      }
      if (!(error instanceof Cancelled)) throw error;
      // As with XACT_ABORT an error, so a cancellation.
      if (session.options.xactAbort && session.open) session.rollback((change) => writer.environment(change));
      writer.end({ error: true });
    } finally {
      session.running = undefined;
      this.#running = undefined;
      this.#writer = undefined;
    }
  }

  async #run(message: Message, session: Session, writer: ResponseWriter, signal: AbortSignal): Promise<void> {
    const runner = new BatchRunner(session, this.#setup.server, writer, signal);
    switch (message.type) {
      case MESSAGE.batch: {
        const { sql, transaction } = readBatch(message.data);
        session.running = sql;
        if (this.#belongs(transaction, session, writer)) await runner.run(sql);
        break;
      }
      case MESSAGE.rpc:
        await this.#call(message, session, runner, writer);
        break;
      case MESSAGE.transaction:
        this.#transact(message, session, writer);
        break;
      default:
        throw new SqlError(50_001, `${NAME}: no requests of type ${message.type}.`, { severity: 20 });
    }
    runner.finish();
  }

  /** A request says which transaction it belongs to: one that is over gets nothing done. */
  #belongs(transaction: bigint, session: Session, writer: ResponseWriter): boolean {
    if (transaction === session.transaction || transaction === this.#belongedTo) return true;
    const text = 'New request is not allowed to start because it should come with valid transaction descriptor.';
    writer.message(new SqlError(3989, text).sqlMessage);
    writer.done({ error: true });
    return false;
  }

  async #call(message: Message, session: Session, runner: BatchRunner, writer: ResponseWriter): Promise<void> {
    const { procedure, parameters, transaction } = readRpc(message.data);
    if (!this.#belongs(transaction, session, writer)) return;
    const [first] = parameters;
    session.running = typeof first?.value === 'string' ? first.value : procedure;
    const call: ProcedureCall = { parameters: parameters.map((parameter) => ({ ...parameter })) };
    const status = await runner.call(
      procedure,
      call,
      procedureNamed(
        procedure
          .split('.')
          .at(-1)
          ?.replace(/^\[(.*)\]$/, '$1') ?? '',
      ),
    );
    writer.procedureDone(
      status,
      call.parameters.filter(({ output }) => output),
    );
  }

  #transact(message: Message, session: Session, writer: ResponseWriter): void {
    const request = readTransactionRequest(message.data);
    if (!this.#belongs(request.transaction, session, writer)) return;
    const tell = (change: Parameters<ResponseWriter['environment']>[0]) => writer.environment(change);
    session.running = `${request.operation} transaction`;
    try {
      switch (request.operation) {
        case 'begin':
          if (request.isolation !== undefined) session.options.isolation = request.isolation;
          session.begin(tell);
          break;
        case 'save':
          session.save(request.name);
          break;
        case 'commit':
          session.commit(tell);
          break;
        case 'rollback':
          if (request.name === '' || !session.rollbackTo(request.name)) session.rollback(tell);
          break;
        default:
          throw new SqlError(50_001, `${NAME}: no transaction manager request ${request.code}.`);
      }
      writer.done({});
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      writer.message(error.sqlMessage);
      writer.done({ error: true });
    }
  }
}
