import { DbManagerError } from '@dbmanager/core';

/** One `name=value` of the part of a connection string behind its `?`, decoded. */
export interface DsnParameter {
  readonly name: string;
  readonly value: string;
  /** Says in messages which one it is, without showing anything of it. */
  readonly place: string;
}

/**
 * The error of a connection string that cannot be read. Nothing of the string may be in `why`, since any part of a malformed
 * one may be the password.
 */
export function invalidDsn(why: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', `dsn: ${why}`, { option: 'dsn' });
}

/** A part of a URL without its percent-encoding. Throws {@link invalidDsn}, with `place` to say which part it is. */
export function decodeDsnPart(text: string, place: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The URIError has the text in its message.
    throw invalidDsn(`${place} is not percent-encoded; a plain % is written %25`);
  }
}

/** Parameters parted by `&`, in their order. Throws {@link invalidDsn} for what is not percent-encoded. */
export function* dsnParameters(query: string): Generator<DsnParameter, void> {
  for (const [index, pair] of query.split('&').entries()) {
    if (pair === '') continue;
    const place = `parameter ${index + 1}`;
    const [name, value = ''] = splitOnce(pair, '=');
    yield { name: decodeDsnPart(name, place), value: decodeDsnPart(value, place), place };
  }
}

/** What stands before the first separator, and what behind it; undefined without one. */
export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Parts `host`, `host:port`, `[v6]`, `[v6]:port` and a bare IPv6 address; what is left out is empty. */
export function splitPlace(place: string): { host: string; port: string } {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(place);
  // More colons than one and no brackets: a bare IPv6 address.
  if (match === null || /:/.test(match[3] ?? '')) return { host: place, port: '' };
  return { host: match[1] ?? match[2] ?? '', port: match[3] ?? '' };
}
