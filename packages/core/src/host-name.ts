/** What a URL may have around its host, or leaves away, and a host has not. */
const NOT_HOST = /[\p{Cc}\s/?#@\\%]/u;
/** A part of a name as browsers and servers take it: letters of ASCII, digits, `-` and, though no registry gives it, `_`. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const LONGEST_NAME = 253;
const LONGEST_PORT = ':65535'.length;

/**
 * The host in a `Host` header, or as a person writes it, in the one form in which hosts are compared: in small letters and ASCII
 * (`Bücher.de` is `xn--bcher-kva.de`), without a port and without the dot that may end it; addresses of IPv6 in brackets, as in a URL.
 * Undefined for what is no host, which must not reach a query, a log or a link.
 */
export function hostName(host: unknown): string | undefined {
  if (typeof host !== 'string' || host.length > LONGEST_NAME + 1 + LONGEST_PORT || NOT_HOST.test(host))
    return undefined;
  const name = URL.parse(`http://${host}`)?.hostname.replace(/\.$/, '') ?? '';
  if (name.startsWith('[')) return name;
  return name.length <= LONGEST_NAME && name.split('.').every((label) => LABEL.test(label)) ? name : undefined;
}
