import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestServerEndpoint } from './describe-with-server.js';

/** A running Redis that asks for no password. */
export class RedisEndpoint implements TestServerEndpoint {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  url(): string {
    return this.#url;
  }

  /** Asks over a connection of its own, for which no client is needed. */
  async version(): Promise<string> {
    const { hostname, port } = new URL(this.#url);
    const socket = connect(port === '' ? 6379 : Number(port), hostname);
    try {
      socket.write('INFO server\r\n');
      let answer = '';
      for (;;) {
        const [data] = (await once(socket, 'data')) as [Buffer];
        answer += data.toString();
        const version = /^redis_version:(.+)\r$/m.exec(answer)?.[1];
        if (version !== undefined) return version;
        if (answer.startsWith('-')) throw new Error(answer);
      }
    } finally {
      socket.destroy();
    }
  }
}
