/** Reads a TDS message from front to back; numbers are little-endian unless said. */
export class ByteReader {
  readonly #bytes: Buffer;
  offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.offset;
  }

  uint8(): number {
    return this.bytes(1).readUInt8();
  }

  uint16(): number {
    return this.bytes(2).readUInt16LE();
  }

  uint32(): number {
    return this.bytes(4).readUInt32LE();
  }

  int16(): number {
    return this.bytes(2).readInt16LE();
  }

  int32(): number {
    return this.bytes(4).readInt32LE();
  }

  uint64(): bigint {
    return this.bytes(8).readBigUInt64LE();
  }

  /** The next bytes, not copied. Throws a RangeError when there are fewer. */
  bytes(length: number): Buffer {
    const end = this.offset + length;
    if (end > this.#bytes.length) throw new RangeError(`a TDS message ends at ${this.#bytes.length}, not at ${end}`);
    const part = this.#bytes.subarray(this.offset, end);
    this.offset = end;
    return part;
  }

  ucs2(characters: number): string {
    return this.bytes(characters * 2).toString('ucs2');
  }

  /** Text after its length in characters as one byte. */
  shortText(): string {
    return this.ucs2(this.uint8());
  }

  /** Text after its length in characters as two bytes. */
  text(): string {
    return this.ucs2(this.uint16());
  }

  /** All that is left. */
  rest(): Buffer {
    return this.bytes(this.remaining);
  }
}
