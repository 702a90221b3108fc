import type { MysqlCommand, MysqlConnection, MysqlPacket } from './mysql-driver.js';
import { mayStart } from './rollback-guard.js';

/** Bits of the status that the server puts into the packets that end an answer (MySQL protocol, "Status Flags"). */
const IN_TRANSACTION = 1;
const AUTOCOMMIT = 2;

const OK = 0x00;
const EOF = 0xfe;
const ERROR = 0xff;
const LONGEST_EOF = 12;

const PING_RESPONSE = 'pingResponse';
/** Handlers of mysql2's commands that may be given an OK packet. */
const AWAIT_OK: ReadonlySet<string> = new Set([
  'resultsetHeader',
  'infileOk',
  PING_RESPONSE,
  'resetConnectionResponse',
  'handshakeResult',
]);

/** ER_LOCK_DEADLOCK: the one error after which the transaction has been rolled back for certain. */
const DEADLOCK = 1213;
/** Words without which a statement that fails outside a transaction cannot have begun one. */
const MAY_BEGIN = /\b(?:begin|start|call|execute|xa|autocommit)\b/i;

const watched = new WeakMap<MysqlConnection, ServerStatus>();

/**
 * What the server has last said of the state of a connection. mysql2 shows the flags of some answers only, so they are
 * read from the packets. An error carries none: whether it ended the transaction the next answer says, a ping's too.
 */
export class ServerStatus {
  #flags = AUTOCOMMIT;
  #certain = true;
  /** The last error of the server. */
  #errno = 0;
  #rolledBackAfter: number | undefined;
  #guardedFor: string | undefined;

  /** Begins to watch a connection; what it is in is not known before its next answer. Returns what ends the watching. */
  static watch(connection: MysqlConnection): () => void {
    const status = new ServerStatus();
    watched.set(connection, status);
    const { handlePacket } = connection;
    connection.handlePacket = function (packet) {
      const { _command: command, _paused: paused } = this;
      // Kept back while a stream is paused: it comes again.
      if (command && !paused) {
        if (packet !== undefined) status.#read(command, packet);
        else if (!status.#mayStart(this, command)) return;
      }
      handlePacket.call(this, packet);
    };
    return () => {
      connection.handlePacket = handlePacket;
      watched.delete(connection);
    };
  }

  /** The status of a connection that is being watched. */
  static of(connection: MysqlConnection): ServerStatus {
    const status = watched.get(connection);
    if (status === undefined) throw new TypeError('the connection is not being watched');
    return status;
  }

  /** True in a transaction, as far as is known. */
  get inTransaction(): boolean {
    return (this.#flags & IN_TRANSACTION) !== 0;
  }

  /** False after an error that may have ended, or followed the beginning of, a transaction. */
  get certain(): boolean {
    return this.#certain;
  }

  /** True after an error in a transaction, until an answer tells whether it is still open. */
  get inDoubt(): boolean {
    return this.inTransaction && !this.#certain;
  }

  /** The error after which the server has rolled a transaction back by itself; until that has been taken note of. */
  get rolledBackAfter(): number | undefined {
    return this.#rolledBackAfter;
  }

  /** Takes note of that: what comes next may run outside of a transaction. */
  acknowledge(): void {
    this.#rolledBackAfter = undefined;
  }

  /** Refuses from now on what would run outside of a transaction that the server has rolled back; see {@link mayStart}. */
  guard(connectionName: string): void {
    this.acknowledge();
    this.#guardedFor = connectionName;
  }

  /** Ends that: who has the connection next sees to it. */
  unguard(): void {
    this.acknowledge();
    this.#guardedFor = undefined;
  }

  get autocommit(): boolean {
    return (this.#flags & AUTOCOMMIT) !== 0;
  }

  #mayStart(connection: MysqlConnection, command: MysqlCommand): boolean {
    return this.#guardedFor === undefined || mayStart(connection, command, this, this.#guardedFor);
  }

  #read(command: MysqlCommand, packet: MysqlPacket): void {
    const { buffer, offset } = packet;
    const handler = command.next?.name ?? '';
    switch (buffer[offset]) {
      case ERROR:
        this.#failed(buffer.readUInt16LE(offset + 1), command.sql);
        break;
      case OK:
        if (AWAIT_OK.has(handler)) this.#set(flagsOfOk(buffer, offset), handler);
        break;
      case EOF:
        if (handler === 'row' && packet.length() <= LONGEST_EOF) this.#set(buffer.readUInt16LE(offset + 3), handler);
        break;
    }
  }

  #set(flags: number, handler: string): void {
    const { inDoubt } = this;
    this.#flags = flags;
    this.#certain = true;
    // A statement may have ended it, a ping does not.
    if (inDoubt && handler === PING_RESPONSE && !this.inTransaction) this.#rolledBackAfter = this.#errno;
  }

  #failed(errno: number, sql: string | undefined): void {
    this.#errno = errno;
    if (errno === DEADLOCK) {
      if (this.inTransaction) this.#rolledBackAfter = errno;
      this.#flags &= ~IN_TRANSACTION;
    } else if (this.inTransaction || !this.autocommit || MAY_BEGIN.test(sql ?? '')) {
      this.#certain = false;
    }
  }
}

/** An OK packet: its header, two length-encoded numbers, and the flags. */
function flagsOfOk(buffer: Buffer, offset: number): number {
  return buffer.readUInt16LE(afterNumber(buffer, afterNumber(buffer, offset + 1)));
}

/** Where a length-encoded number that begins at `at` ends. */
function afterNumber(buffer: Buffer, at: number): number {
  switch (buffer[at]) {
    case 0xfc:
      return at + 3;
    case 0xfd:
      return at + 4;
    case 0xfe:
      return at + 9;
    default:
      return at + 1;
  }
}
