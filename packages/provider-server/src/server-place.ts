import { isIP } from 'node:net';

/** Where a server listens. */
export interface ServerPlace {
  /** A name, an address, or a path of a Unix socket (it starts with `/`). */
  readonly host: string;
  readonly port: number;
}

/** True for the path of a Unix socket, or of the folder that has it. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/');
}

/** True for a host name, an address or a path. */
export function isHost(host: string): boolean {
  return isSocketPath(host) || isIP(host) !== 0 || /^[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*)$/u.test(host);
}

/** True for a port that a server can listen on. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** A place as messages show it: `db:5432`, `[::1]:5432`, `/run/server.sock`. */
export function placeText({ host, port }: ServerPlace): string {
  if (isSocketPath(host)) return host;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
