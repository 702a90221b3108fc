const ZERO = 0x00;
/** After a zero of the key. */
const ZERO_OF_KEY = 0xff;
/** After the zero that ends the key; smaller than what follows any zero inside, so that a key stands before those it begins. */
const END = 0x01;

/**
 * A key in the same order of bytes as before, and never the beginning of another: SQL Server takes values that differ only by
 * zeros at their ends for the same. A zero becomes 00 FF, the end 00 01, as in FoundationDB's tuple layer.
 */
export function encodeZeros(key: Uint8Array): Uint8Array {
  const encoded: number[] = [];
  for (const byte of key) {
    encoded.push(byte);
    if (byte === ZERO) encoded.push(ZERO_OF_KEY);
  }
  return Buffer.from([...encoded, ZERO, END]);
}

/** The key that {@link encodeZeros} was given. */
export function decodeZeros(encoded: Uint8Array): Uint8Array {
  const key: number[] = [];
  for (let at = 0; at < encoded.length - 2; at++) {
    const byte = encoded[at] as number;
    key.push(byte);
    if (byte === ZERO) at++;
  }
  return Buffer.from(key);
}
