import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

const LONGEST_NAME = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const PORT = /:\d{0,5}$/;
/** Node's `isIPv6` lets zones pass, in which much may stand. */
const BRACKETED = /^\[[0-9a-f:.]+\]$/;

/**
 * The name in a `Host` header: in lower case, without the port and the dot at the end. Undefined when it is none: what a
 * browser would not send, and what must not reach a query, a log or a link.
 */
export function hostName(header: string): string | undefined {
  if (header.length > LONGEST_NAME + 7) return undefined;
  const host = header.toLowerCase().replace(PORT, '');
  if (host.startsWith('[')) return BRACKETED.test(host) && isIPv6(host.slice(1, -1)) ? host : undefined;
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name.length <= LONGEST_NAME && name.split('.').every((label) => LABEL.test(label)) ? name : undefined;
}

/** The one `Host` header of a request; undefined when there are several, or none. */
export function hostHeader({ headersDistinct }: IncomingMessage): string | undefined {
  const hosts = headersDistinct.host;
  return hosts?.length === 1 ? hosts[0] : undefined;
}
