/** How keys or values become bytes. Write one for a format of your own; it may validate. */
export interface Codec<T> {
  /** Throws when `value` cannot be told from another one by its bytes. */
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** Text as UTF-8. As keys, they are ordered by code point. Text with half a surrogate pair is refused: it would be lost. */
export const utf8: Codec<string> = {
  encode(value) {
    if (typeof value !== 'string') throw new TypeError(`must be a string, not ${typeof value}`);
    if (!value.isWellFormed()) throw new TypeError('must not hold half a surrogate pair');
    return Buffer.from(value);
  },
  decode: (bytes) => asBuffer(bytes).toString(),
};

/** Bytes as they are. As keys, they are ordered byte by byte. */
export const bytes: Codec<Uint8Array> = {
  encode(value) {
    if (!(ArrayBuffer.isView(value) && 'byteLength' in value)) throw new TypeError('must be a Uint8Array');
    return value;
  },
  decode: (value) => value,
};

/** Values as JSON. What JSON has no text for, such as undefined or a function, is refused. */
export function json<T = unknown>(): Codec<T> {
  return JSON_CODEC as Codec<T>;
}

const JSON_CODEC: Codec<unknown> = {
  encode(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`${typeof value} has no JSON`);
    return Buffer.from(text);
  },
  decode: (value) => JSON.parse(asBuffer(value).toString()),
};

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
