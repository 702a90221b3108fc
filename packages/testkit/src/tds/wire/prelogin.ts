import { ByteReader } from './byte-reader.js';
import { ByteWriter } from './byte-writer.js';

/** Options of a PRELOGIN message (MS-TDS 2.2.6.5). */
const OPTION = { version: 0x00, encryption: 0x01, instance: 0x02, thread: 0x03, mars: 0x04, end: 0xff } as const;

/** What each side says about encryption. */
export const ENCRYPTION = { off: 0x00, on: 0x01, unsupported: 0x02, required: 0x03 } as const;

/** What the client says about encryption; undefined when nothing. */
export function readPrelogin(data: Buffer): { readonly encryption: number | undefined } {
  const reader = new ByteReader(data);
  for (let option = reader.uint8(); option !== OPTION.end; option = reader.uint8()) {
    const offset = reader.bytes(2).readUInt16BE();
    const length = reader.bytes(2).readUInt16BE();
    if (option === OPTION.encryption && length === 1) return { encryption: data.readUInt8(offset) };
  }
  return { encryption: undefined };
}

/** The server's answer. */
export function writePrelogin(
  version: readonly [major: number, minor: number, build: number],
  encryption: number,
): Buffer {
  const [major, minor, build] = version;
  const options: [number, Buffer][] = [
    [OPTION.version, new ByteWriter().uint8(major).uint8(minor).uint16BigEndian(build).uint16(0).take()],
    [OPTION.encryption, Buffer.from([encryption])],
    [OPTION.instance, Buffer.from([0])],
    [OPTION.thread, Buffer.alloc(0)],
    [OPTION.mars, Buffer.from([0])],
  ];
  const writer = new ByteWriter();
  let offset = options.length * 5 + 1;
  for (const [option, value] of options) {
    writer.uint8(option).uint16BigEndian(offset).uint16BigEndian(value.length);
    offset += value.length;
  }
  writer.uint8(OPTION.end);
  for (const [, value] of options) writer.bytes(value);
  return writer.take();
}
