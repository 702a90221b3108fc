import type { StatementProfile } from '@dbmanager/core';
import { HealthServer, type HealthServerOptions } from '@dbmanager/http';
import { FakeClock } from '@dbmanager/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { sampleStats } from '../../../test/support/sample-stats.js';
import { type CliHost, type CliIo, runCli, type StopSignal } from './index.js';

const PROFILE: StatementProfile = {
  text: 'select * from users where id = ?',
  operation: 'SELECT',
  collection: 'users',
  count: 4,
  errors: 1,
  totalMs: 10,
  maxMs: 7.25,
};
const unused = () => Promise.reject(new Error('top reads no file'));
const HOST: CliHost = { version: '1.2.3', check: unused, load: unused, sqlTypes: [], schema: () => ({}) };

/** A terminal in memory, that tells of each screen that is drawn. */
class Terminal implements CliIo {
  readonly env = {};
  readonly clock = new FakeClock();
  readonly screens: string[] = [];
  errors = '';
  #drawn = Promise.withResolvers<string>();
  readonly #listeners = new Set<(signal: StopSignal) => void>();
  readonly stdout = {
    write: (text: string) => {
      this.screens.push(text);
      this.#drawn.resolve(text);
      this.#drawn = Promise.withResolvers();
    },
  };
  readonly stderr = {
    write: (text: string) => {
      this.errors += text;
    },
  };

  /** The next screen. */
  get drawn(): Promise<string> {
    return this.#drawn.promise;
  }

  get listensToSignals(): boolean {
    return this.#listeners.size > 0;
  }

  stop(): void {
    for (const listener of this.#listeners) listener('SIGINT');
  }

  readInput(): Promise<string> {
    return Promise.resolve('');
  }

  fileExists(): boolean {
    return false;
  }

  onStop(listener: (signal: StopSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  exit(): void {}
}

describe('dbmanager top', () => {
  const servers: HealthServer[] = [];
  let readable = true;
  const statements = (...profiles: StatementProfile[]): Pick<HealthServerOptions, 'statements'> => ({
    statements: { getAll: () => new Map([['primary', { slowestStatements: () => profiles }]]) },
  });

  async function serve(options: Partial<HealthServerOptions>): Promise<string> {
    const stats = () => {
      if (!readable) throw new Error('no longer');
      return sampleStats({ primary: { type: 'postgres', pool: { inUse: 3, idle: 2, pending: 9, max: 5 } } });
    };
    const server = new HealthServer({ manager: { stats }, ...options });
    servers.push(server);
    return (await server.listen({ port: 0 })).url;
  }

  afterEach(async () => {
    readable = true;
    for (const server of servers.splice(0)) await server.close();
  });

  it('prints pools and statements once for scripts', async () => {
    const url = await serve(statements(PROFILE, { ...PROFILE, text: 'select\u001b[31m 1', totalMs: 99 }));
    const terminal = new Terminal();
    await expect(runCli(['top', '--once', '--url', `${url}/`], terminal, HOST)).resolves.toBe(0);
    expect(terminal.screens).toEqual([
      [
        'NAME     TYPE      STATUS   LATENCY  IN USE  IDLE  MAX  WAITING  ERROR',
        'primary  postgres  healthy  1.5 ms   3       2     5    9        -',
        '',
        'CONNECTION  COUNT  ERRORS  TOTAL    MEAN     MAX     STATEMENT',
        'primary     4      1       99.0 ms  24.8 ms  7.3 ms  select [31m 1',
        'primary     4      1       10.0 ms  2.5 ms   7.3 ms  select * from users where id = ?',
        '',
      ].join('\n'),
    ]);
    expect(terminal.listensToSignals).toBe(false);
  });

  it('draws anew at each interval, tells when the process cannot be read any more, and ends cleanly on Ctrl-C', async () => {
    const url = await serve(statements(PROFILE));
    const terminal = new Terminal();
    const first = terminal.drawn;
    const ended = runCli(['top', '--interval', '5s', '--url', url], terminal, HOST);
    expect((await first).startsWith('\u001b[2J\u001b[HNAME')).toBe(true);
    expect(await first).toContain('from users');
    const second = terminal.drawn;
    await terminal.clock.advance(5_000);
    expect(await second).toBe(await first);
    readable = false;
    const third = terminal.drawn;
    await terminal.clock.advance(5_000);
    expect(await third).toContain('serves no /health');
    terminal.stop();
    await expect(ended).resolves.toBe(0);
    expect(terminal.errors).toBe('');
    expect(terminal.clock.pendingTimers).toBe(0);
  });

  it('shows the pools of a process that does not serve statements', async () => {
    const url = await serve({});
    const terminal = new Terminal();
    await expect(runCli(['top', '--once', '--url', url], terminal, HOST)).resolves.toBe(0);
    expect(terminal.screens.join('')).toMatch(/primary.*no statements/s);
  });

  it('ends with 1 when there is nobody to ask', async () => {
    const terminal = new Terminal();
    // Nobody may listen there.
    await expect(runCli(['top', '--once', '--url', 'http://127.0.0.1:1'], terminal, HOST)).resolves.toBe(1);
    expect(terminal.errors).toMatch(/does not answer.*DBM_CONNECT_FAILED/s);
  });

  it.each([
    ['--interval', '2'],
    ['--interval', '0'],
    ['--limit', '0'],
    ['--limit', 'all'],
    ['--url', '127.0.0.1:9464'],
    ['--url', 'nonsense'],
  ])('refuses %s %s', async (...option) => {
    await expect(runCli(['top', ...option], new Terminal(), HOST)).resolves.toBe(2);
  });
});
