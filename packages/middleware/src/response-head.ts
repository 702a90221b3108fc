import type { ServerResponse } from 'node:http';

/** Status and headers of a response that has not been sent. */
export interface ResponseHead {
  readonly status: number;
  readonly message: string;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, number | string | readonly string[]>;
}

/** The head as it is now, whatever is done to the response later. */
export function headOf(response: ServerResponse): ResponseHead {
  const headers = new Map<string, number | string | readonly string[]>();
  for (const [name, value] of Object.entries(response.getHeaders())) {
    // `appendHeader` adds to the very array.
    if (value !== undefined) headers.set(name, Array.isArray(value) ? [...value] : value);
  }
  return { status: response.statusCode, message: response.statusMessage, headers };
}

/** Takes back what was done to the head since. Headers that were not touched keep the letters they were written in. */
export function restoreHead(response: ServerResponse, { status, message, headers }: ResponseHead): void {
  for (const name of response.getHeaderNames()) {
    if (!headers.has(name)) response.removeHeader(name);
  }
  for (const [name, value] of headers) {
    if (typeof value === 'object' || response.getHeader(name) !== value) response.setHeader(name, value);
  }
  response.statusCode = status;
  response.statusMessage = message;
}
