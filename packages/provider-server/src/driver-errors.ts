import { types } from 'node:util';

/** Node's codes of a socket that died or could not be opened. */
export const SOCKET_CODES: readonly string[] = [
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_DESTROYED',
  'ERR_SOCKET_CLOSED',
];

/** Node's codes of a TLS handshake that failed for a reason that waiting does not mend. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)/;

/** Also of errors that another realm made, as Node's own are where tests run in a VM. */
export function isError(error: unknown): error is Error {
  return types.isNativeError(error);
}

/** The `code` of an error of Node or of a driver; empty when it has none. */
export function codeOf(error: unknown): string {
  return isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** True for an error of Node's TLS: the handshake failed, or the certificates do not fit. */
export function isTlsError(error: unknown): boolean {
  return TLS_CODE.test(codeOf(error));
}
