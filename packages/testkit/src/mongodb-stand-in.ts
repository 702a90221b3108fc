import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { BSON } from 'mongodb';

type Document = Record<string, unknown>;

/** What a {@link MongodbStandIn} says it is. */
export type MongodbRole = 'standalone' | 'primary' | 'secondary';

/** A command as a client sent it. */
export interface MongodbCommand {
  /** Its first key: `insert`. */
  readonly name: string;
  readonly document: Document;
}

/** How a command is answered; undefined: as it would have been. */
export type MongodbAnswer = (command: MongodbCommand) => Document | Promise<Document> | undefined;

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const HEADER_BYTES = 16;

/**
 * A server that speaks as much of MongoDB's protocol as drivers need, and stores nothing: for what cannot be had of a single
 * server at the wish of a test, as transactions, elections and errors. Real sockets, OP_MSG, the driver's own handshake; it
 * asks nobody to log in. Needs the package `mongodb`, for its BSON.
 */
export class MongodbStandIn {
  readonly host = '127.0.0.1';
  readonly port: number;
  /** Every command in the order of arrival, without those that only ask who it is. */
  readonly commands: MongodbCommand[] = [];
  role: MongodbRole;
  /** Members of its replica set as it knows them; itself unless said. */
  members: readonly string[];
  /** The one that it takes for the primary; itself, or nobody, unless said. */
  primary: string | undefined;
  readonly #server: Server;
  readonly #bson: typeof BSON;
  readonly #sockets = new Set<Socket>();
  readonly #answers: MongodbAnswer[] = [];
  #lastConnectionId = 0;

  private constructor(server: Server, bson: typeof BSON, role: MongodbRole) {
    this.#server = server;
    this.#bson = bson;
    this.role = role;
    this.port = (server.address() as AddressInfo).port;
    this.members = [this.address];
    server.on('connection', (socket) => this.#serve(socket));
  }

  static async start(role: MongodbRole = 'primary'): Promise<MongodbStandIn> {
    const { default: mongodb } = await import('mongodb');
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new MongodbStandIn(server, mongodb.BSON, role);
  }

  /** `host:port`. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Open sockets, those of monitors included. */
  get live(): number {
    return this.#sockets.size;
  }

  /** Asks this first from now on, before what was added earlier. */
  answer(answer: MongodbAnswer): void {
    this.#answers.unshift(answer);
  }

  /** Answers the next command of that name with an error of the server. */
  failNext(name: string, error: { code: number; errmsg: string; errorLabels?: readonly string[] }): void {
    let left = 1;
    this.answer((command) => (command.name === name && left-- > 0 ? { ok: 0, ...error } : undefined));
  }

  /** The names of the commands that came, in order. */
  get names(): string[] {
    return this.commands.map(({ name }) => name);
  }

  /** Cuts every socket, those of monitors included; it goes on taking connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #serve(socket: Socket): void {
    const connectionId = ++this.#lastConnectionId;
    this.#sockets.add(socket);
    let rest = Buffer.alloc(0);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
        const message = rest.subarray(0, rest.readInt32LE(0));
        rest = rest.subarray(message.length);
        void this.#reply(socket, message, connectionId);
      }
    });
  }

  async #reply(socket: Socket, message: Buffer, connectionId: number): Promise<void> {
    const [requestId, opcode] = [message.readInt32LE(4), message.readInt32LE(12)];
    const document = opcode === OP_QUERY ? this.#readQuery(message) : this.#readMessage(message);
    const command = { name: Object.keys(document)[0] as string, document };
    const answer = await this.#answerTo(command, connectionId);
    if (socket.destroyed) return;
    const body = Buffer.from(this.#bson.serialize(answer));
    socket.write(opcode === OP_QUERY ? replyTo(requestId, body) : messageTo(requestId, body));
  }

  #answerTo(command: MongodbCommand, connectionId: number): Document | Promise<Document> {
    const isHello = /^(?:hello|ismaster)$/i.test(command.name);
    if (!isHello) this.commands.push(command);
    for (const answer of this.#answers) {
      const given = answer(command);
      if (given !== undefined) return given;
    }
    if (isHello) return this.#hello(connectionId);
    switch (command.name) {
      case 'insert':
        return { ok: 1, n: (command.document.documents as unknown[]).length };
      case 'find':
        return { ok: 1, cursor: { id: 0n, ns: `${command.document.$db}.${command.document.find}`, firstBatch: [] } };
      default:
        return { ok: 1 };
    }
  }

  #hello(connectionId: number): Document {
    const { role, address, members } = this;
    const primary = this.primary ?? (role === 'primary' ? address : undefined);
    return {
      ok: 1,
      helloOk: true,
      isWritablePrimary: role !== 'secondary',
      connectionId,
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      minWireVersion: 0,
      maxWireVersion: 21,
      logicalSessionTimeoutMinutes: 30,
      ...(role !== 'standalone' && {
        setName: 'rs0',
        setVersion: 1,
        secondary: role === 'secondary',
        hosts: members,
        me: address,
        ...(primary !== undefined && { primary }),
      }),
    };
  }

  /** Header, flags, full name of the collection, skip, number to return, document. */
  #readQuery(message: Buffer): Document {
    const nameEnd = message.indexOf(0, HEADER_BYTES + 4);
    return this.#bson.deserialize(message.subarray(nameEnd + 1 + 8));
  }

  /** Header, flags, then sections: one document, and sequences of documents with a name. */
  #readMessage(message: Buffer): Document {
    let document: Document = {};
    for (let at = HEADER_BYTES + 4; at < message.length; ) {
      const size = message.readInt32LE(at + 1);
      const section = message.subarray(at + 1, at + 1 + size);
      if (message[at] === 0) document = { ...this.#bson.deserialize(section), ...document };
      else document = { ...document, ...this.#readSequence(section) };
      at += 1 + size;
    }
    return document;
  }

  #readSequence(section: Buffer): Document {
    const nameEnd = section.indexOf(0, 4);
    const documents: Document[] = [];
    for (let at = nameEnd + 1; at < section.length; at += section.readInt32LE(at)) {
      documents.push(this.#bson.deserialize(section.subarray(at, at + section.readInt32LE(at))));
    }
    return { [section.toString('utf8', 4, nameEnd)]: documents };
  }
}

function header(length: number, responseTo: number, opcode: number): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  for (const [index, value] of [HEADER_BYTES + length, responseTo, responseTo, opcode].entries()) {
    head.writeInt32LE(value, index * 4);
  }
  return head;
}

/** Flags, cursor, first document, number of documents, documents. */
function replyTo(requestId: number, body: Buffer): Buffer {
  const fields = Buffer.alloc(20);
  fields.writeInt32LE(8, 0);
  fields.writeInt32LE(1, 16);
  return Buffer.concat([header(fields.length + body.length, requestId, OP_REPLY), fields, body]);
}

/** Flags, then one section with one document. */
function messageTo(requestId: number, body: Buffer): Buffer {
  return Buffer.concat([header(5 + body.length, requestId, OP_MSG), Buffer.alloc(5), body]);
}
