/** What a name or an address has not, though a URL may. */
const NOT_HOST = /[\s/?#@\\%]/;
/** As long as a host's name can be. */
const MAX_LENGTH = 253;

/**
 * The host of a `Host` header as it is compared: in small letters and ASCII (`bücher.de` is `xn--bcher-kva.de`), without a port and
 * without the dot that may end it; addresses of IPv6 in brackets, as in a URL. Undefined for what is no host.
 */
export function hostName(host: unknown): string | undefined {
  if (typeof host !== 'string' || NOT_HOST.test(host)) return undefined;
  const url = URL.parse(`http://${host}`);
  const name = url?.hostname.replace(/\.$/, '') ?? '';
  return name.length > 0 && name.length <= MAX_LENGTH ? name : undefined;
}
