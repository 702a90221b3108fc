/** All keys from `gte` up to, but not including, `lt`, in the order of their bytes. */
export interface ByteRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

/** The key right after `key`: none stands between them. */
export function following(key: Uint8Array): Uint8Array {
  return Buffer.concat([key, ZERO]);
}

/** The first key that stands after all those that begin with `prefix`; undefined when nothing does. */
export function afterPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return undefined;
  const next = Buffer.from(prefix.subarray(0, end));
  next[end - 1] = (next[end - 1] as number) + 1;
  return next;
}

/** What both ranges have in common; empty when that is nothing. */
export function intersection(a: ByteRange, b: ByteRange): ByteRange {
  return {
    gte: Buffer.compare(a.gte, b.gte) >= 0 ? a.gte : b.gte,
    lt: Buffer.compare(a.lt, b.lt) <= 0 ? a.lt : b.lt,
  };
}

export function isEmpty({ gte, lt }: ByteRange): boolean {
  return Buffer.compare(gte, lt) >= 0;
}

export function contains({ gte, lt }: ByteRange, key: Uint8Array): boolean {
  return Buffer.compare(gte, key) <= 0 && Buffer.compare(key, lt) < 0;
}

export function overlaps(a: ByteRange, b: ByteRange): boolean {
  return !isEmpty(intersection(a, b));
}

const ZERO = Buffer.alloc(1);
