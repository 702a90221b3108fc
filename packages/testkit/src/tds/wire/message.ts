/** What a TDS message is, as the header of each of its packets says (MS-TDS 2.2.3.1.1). */
export const MESSAGE = {
  batch: 0x01,
  rpc: 0x03,
  response: 0x04,
  attention: 0x06,
  bulkLoad: 0x07,
  transaction: 0x0e,
  login: 0x10,
  prelogin: 0x12,
} as const;

/** Bits of the status in the header of a packet (MS-TDS 2.2.3.1.2). */
const STATUS = { end: 0x01, ignore: 0x02, reset: 0x08, resetKeepingTransaction: 0x10 } as const;

const HEADER_BYTES = 8;

/** What a request says about the state that the one before it has left. */
export type SessionReset = 'none' | 'all' | 'all but the transaction';

/** A whole message of the client. */
export interface Message {
  readonly type: number;
  readonly data: Buffer;
  /** The client has given it up before it was complete: nothing of it may run. */
  readonly ignored: boolean;
  readonly reset: SessionReset;
}

/** Puts the packets of a connection together to messages. */
export class MessageReader {
  #buffered: Buffer = Buffer.alloc(0);
  #packets: Buffer[] = [];

  /** The messages that end in this chunk. Throws a RangeError when it is no TDS. */
  push(chunk: Buffer): Message[] {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    const messages: Message[] = [];
    while (this.#buffered.length >= HEADER_BYTES) {
      const length = this.#buffered.readUInt16BE(2);
      if (length < HEADER_BYTES) throw new RangeError(`a TDS packet of ${length} bytes`);
      if (this.#buffered.length < length) break;
      const packet = this.#buffered.subarray(0, length);
      this.#buffered = this.#buffered.subarray(length);
      this.#packets.push(packet.subarray(HEADER_BYTES));
      if ((packet.readUInt8(1) & STATUS.end) === 0) continue;
      messages.push({ ...describe(packet), data: Buffer.concat(this.#packets) });
      this.#packets = [];
    }
    return messages;
  }
}

function describe(packet: Buffer): Omit<Message, 'data'> {
  const status = packet.readUInt8(1);
  return { type: packet.readUInt8(0), ignored: (status & STATUS.ignore) !== 0, reset: resetOf(status) };
}

function resetOf(status: number): SessionReset {
  if ((status & STATUS.reset) !== 0) return 'all';
  return (status & STATUS.resetKeepingTransaction) !== 0 ? 'all but the transaction' : 'none';
}

/** Cuts a message into packets. */
export class PacketWriter {
  readonly #type: number;
  readonly #spid: number;
  #number = 0;

  constructor(type: number, spid = 0) {
    this.#type = type;
    this.#spid = spid;
  }

  /** Packets of the whole of `data`; the last one ends the message if `end` says so. */
  packets(data: Buffer, packetSize: number, end: boolean): Buffer[] {
    const room = packetSize - HEADER_BYTES;
    const packets: Buffer[] = [];
    for (let from = 0; from === 0 || from < data.length; from += room) {
      const last = from + room >= data.length;
      packets.push(this.#packet(data.subarray(from, from + room), last && end));
    }
    return packets;
  }

  #packet(data: Buffer, end: boolean): Buffer {
    const packet = Buffer.alloc(HEADER_BYTES + data.length);
    packet.writeUInt8(this.#type, 0);
    packet.writeUInt8(end ? STATUS.end : 0, 1);
    packet.writeUInt16BE(packet.length, 2);
    packet.writeUInt16BE(this.#spid, 4);
    packet.writeUInt8(++this.#number % 256, 6);
    data.copy(packet, HEADER_BYTES);
    return packet;
  }
}
