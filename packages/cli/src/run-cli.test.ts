import { parseConfig } from '@dbmanager/config';
import { ConnectionManager, DbManagerError, type Logger, ManagedConnection } from '@dbmanager/core';
import { Migrations } from '@dbmanager/migrations';
import { FakeClock, FakeProvider } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { type CliHost, type CliIo, type CliManager, runCli, type StopSignal } from './index.js';

/** A text that tests can wait on. */
class Sink {
  text = '';
  readonly #waiting = new Set<() => void>();

  write(text: string): void {
    this.text += text;
    for (const check of this.#waiting) check();
  }

  /** Resolves with the match as soon as the text has it. */
  until(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => {
      const check = () => {
        const match = pattern.exec(this.text);
        if (match === null) return;
        this.#waiting.delete(check);
        resolve(match);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** A process in memory, with files, a fake database engine, and the command in it. */
class Terminal {
  readonly stdout = new Sink();
  readonly stderr = new Sink();
  readonly provider = new FakeProvider();
  readonly files: Record<string, string>;
  readonly env: Record<string, string>;
  readonly clock = new FakeClock();
  readonly exits: number[] = [];
  /** What comes from stdin. */
  input = '';
  readonly managers: ConnectionManager[] = [];
  #stopListeners: ((signal: StopSignal) => void)[] = [];

  constructor(files: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}) {
    this.files = { ...files };
    this.env = { ...env };
  }

  run(...argv: string[]): Promise<number> {
    const io: CliIo = {
      stdout: this.stdout,
      stderr: this.stderr,
      env: this.env,
      clock: this.clock,
      fileExists: (path) => path in this.files,
      readInput: async () => this.input,
      onStop: (listener) => {
        this.#stopListeners.push(listener);
        return () => {
          this.#stopListeners = this.#stopListeners.filter((other) => other !== listener);
        };
      },
      exit: (code) => {
        this.exits.push(code);
      },
    };
    return runCli(argv, io, this.#host());
  }

  signal(signal: StopSignal): void {
    for (const listener of this.#stopListeners) listener(signal);
  }

  get listensToSignals(): boolean {
    return this.#stopListeners.length > 0;
  }

  /** Fails when anything that was opened is still open. */
  expectNothingOpen(): void {
    for (const name of ['primary', 'reports', 'archive']) {
      const database = this.provider.database(name);
      expect(database.live).toEqual([]);
      expect([...database.destroyed].sort()).toEqual([...database.created].sort());
    }
  }

  #host(): CliHost {
    const read = (file: string) => {
      const text = this.files[file];
      if (text === undefined) throw new DbManagerError('DBM_CONFIG_UNREADABLE', `cannot read ${file}: ENOENT`);
      return parseConfig(text, { file, providers: [this.provider], env: this.env });
    };
    return {
      version: '1.2.3',
      check: async (file) => read(file),
      load: async (file, { logger }) => this.#manager(read(file).config, logger),
      sqlTypes: [],
      schema: () => ({ $schema: 'https://json-schema.org/draft/2020-12/schema' }),
    };
  }

  #manager(config: ReturnType<typeof parseConfig>['config'], logger: Logger | undefined): CliManager {
    const manager = new ConnectionManager(config, {
      providers: [this.provider],
      createConnection: (setup) => new ManagedConnection(setup),
      ...(logger === undefined ? {} : { logger }),
    });
    this.managers.push(manager);
    const metrics = { contentType: 'text/plain', scrape: async () => 'dbmanager_up 1\n' };
    const migrations: CliManager['migrations'] = (name, options) =>
      new Migrations(name === undefined ? manager.getDefault() : manager.get(name), options);
    return Object.assign(manager, { metrics: () => metrics, migrations, sqlFiles: () => new Map() });
  }
}

const GOOD = `
dbmanager:
  retry_attempts: 0
  connections:
    primary: { type: fake }
    reports: { type: fake, startup: optional }
    archive: { type: fake, startup: lazy }
`;
const BAD = `
dbmanager:
  connections:
    primary: { type: fake, max_open_cons: 3 }
`;
const FILE = 'config/dbmanager.yaml';

describe('dbmanager migrate', () => {
  it.each([
    ['without a default connection', [], 'DBM_NO_DEFAULT_CONNECTION'],
    ['of a connection that there is not', ['--connection', 'nope'], 'DBM_UNKNOWN_CONNECTION'],
  ])('%s exits with 2, as the command line is wrong', async (_, options, code) => {
    const terminal = new Terminal({ [FILE]: GOOD });
    expect(await terminal.run('migrate', 'up', ...options)).toBe(2);
    expect(terminal.stderr.text).toContain(code);
  });
});

describe('dbmanager secrets', () => {
  const FILE_OF = (password: string) =>
    `dbmanager: { connections: { primary: { type: fake, password: "${password}" } } }`;

  it('makes a key and values that a file with that key holds', async () => {
    const maker = new Terminal();
    expect(await maker.run('secrets', 'key')).toBe(0);
    const env = { DBMANAGER_SECRETS_KEY: maker.stdout.text.trim() };
    const terminal = new Terminal({}, env);
    terminal.input = 'pa$$ word\n';
    expect(await terminal.run('secrets', 'encrypt', 'connections.primary.password')).toBe(0);
    const value = terminal.stdout.text.trim();
    expect(value).not.toContain('word');
    expect(await new Terminal({ 'a.yaml': FILE_OF(value) }, env).run('check', 'a.yaml')).toBe(0);
    const stranger = new Terminal({ 'a.yaml': FILE_OF(value) });
    expect(await stranger.run('check', 'a.yaml')).toBe(2);
    expect(stranger.stdout.text).toContain('a.yaml:1:');
    expect(stranger.stdout.text).toContain('there is no key');
  });

  it.each([
    [
      'what is no option',
      ['profiles.prod.connections.a.password'],
      { DBMANAGER_SECRETS_KEY: 'A'.repeat(43) },
      'x',
      /is no option/,
    ],
    ['no key', ['connections.primary.password'], {}, 'x', /there is no key/],
    ['a bad key', ['connections.primary.password'], { DBMANAGER_SECRETS_KEY: 'short' }, 'x', /DBMANAGER_SECRETS_KEY/],
    ['nothing on stdin', ['connections.primary.password'], { DBMANAGER_SECRETS_KEY: 'A'.repeat(43) }, '\n', /stdin/],
  ])('refuses %s, and exits with 2', async (_, options, env, input, message) => {
    const terminal = new Terminal({}, env as Record<string, string>);
    terminal.input = input;
    expect(await terminal.run('secrets', 'encrypt', ...options)).toBe(2);
    expect(terminal.stderr.text).toMatch(message);
    expect(terminal.stdout.text).toBe('');
  });
});

describe('dbmanager check', () => {
  it('says that a valid file is valid, and exits with 0', async () => {
    const terminal = new Terminal({ 'a.yaml': GOOD });
    expect(await terminal.run('check', 'a.yaml')).toBe(0);
    expect(terminal.stdout.text).toBe('a.yaml: valid, 3 connections: primary, reports, archive\n');
    expect(terminal.stderr.text).toBe('');
  });

  it('prints every problem with its place, and exits with 2', async () => {
    const terminal = new Terminal({ 'a.yaml': BAD });
    expect(await terminal.run('check', 'a.yaml')).toBe(2);
    expect(terminal.stdout.text).toMatch(
      /^a\.yaml:4:28 error connections\.primary\.max_open_cons: unknown key; did you mean "max_open_conns"\?\n/,
    );
    expect(terminal.stdout.text.endsWith('^\n')).toBe(true);
  });

  it('prints JSON, an empty array for a valid file', async () => {
    const terminal = new Terminal({ 'bad.yaml': BAD, 'good.yaml': GOOD });
    expect(await terminal.run('check', '--format', 'json', 'bad.yaml')).toBe(2);
    expect(JSON.parse(terminal.stdout.text)).toMatchObject([{ file: 'bad.yaml', line: 4, rule: 'unknown-key' }]);
    terminal.stdout.text = '';
    expect(await terminal.run('check', '--format=json', 'good.yaml')).toBe(0);
    expect(JSON.parse(terminal.stdout.text)).toEqual([]);
  });

  it('prints annotations for GitHub, nothing for a valid file', async () => {
    const terminal = new Terminal({ 'bad.yaml': BAD, 'good.yaml': GOOD });
    expect(await terminal.run('check', 'good.yaml', '--format', 'github')).toBe(0);
    expect(terminal.stdout.text).toBe('');
    expect(await terminal.run('check', 'bad.yaml', '--format', 'github')).toBe(2);
    expect(terminal.stdout.text).toMatch(/^::error file=bad\.yaml,line=4,col=28,/);
  });

  it('takes config/dbmanager.yaml, else dbmanager.yaml, when no file is named', async () => {
    const terminal = new Terminal({ 'dbmanager.yaml': GOOD });
    await terminal.run('check');
    expect(terminal.stdout.text).toMatch(/^dbmanager\.yaml: valid/);
    terminal.files[FILE] = GOOD;
    terminal.stdout.text = '';
    await terminal.run('check');
    expect(terminal.stdout.text).toMatch(/^config\/dbmanager\.yaml: valid/);
  });

  it('exits with 2 and names both places when there is no file', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('check')).toBe(2);
    expect(terminal.stderr.text).toContain('neither config/dbmanager.yaml nor dbmanager.yaml');
  });

  it('reports a file that cannot be read as a problem, in every format', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('check', 'gone.yaml', '--format', 'json')).toBe(2);
    expect(JSON.parse(terminal.stdout.text)).toMatchObject([{ file: 'gone.yaml', rule: 'unreadable' }]);
  });
});

describe('dbmanager status', () => {
  it('checks every connection, lazy ones too, and prints a table', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    expect(await terminal.run('status')).toBe(0);
    const lines = terminal.stdout.text.split('\n');
    expect(lines[0]).toMatch(/^NAME +TYPE +STATE +STATUS +LATENCY +OPEN +IDLE +IN USE +ERROR$/);
    for (const [index, name] of ['primary', 'reports', 'archive'].entries()) {
      expect(lines[index + 1]).toMatch(new RegExp(`^${name} +fake +ready +healthy +\\d+\\.\\d ms +1 +1 +0 +-$`));
    }
    terminal.expectNothingOpen();
  });

  it('prints JSON of the shape of /health', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    expect(await terminal.run('status', '--json')).toBe(0);
    const report = JSON.parse(terminal.stdout.text);
    expect(report.status).toBe('healthy');
    expect(report.connections.map((each: { name: string }) => each.name)).toEqual(['primary', 'reports', 'archive']);
    expect(report.connections[0]).toMatchObject({ status: 'healthy', errorCode: null, pool: { open: 1, inUse: 0 } });
  });

  it('exits with 1 when a required database is down, and still shows how the others are', async () => {
    const terminal = new Terminal({
      [FILE]: GOOD.replace('reports: { type: fake, startup: optional }', 'reports: { type: fake }'),
    });
    terminal.provider.database('primary').goDown();
    expect(await terminal.run('status', '--config', FILE)).toBe(1);
    expect(terminal.stdout.text).toMatch(/^primary +fake +failed +disconnected .* DBM_CONNECT_FAILED$/m);
    expect(terminal.stdout.text).toMatch(/^reports +fake +ready +healthy .* -$/m);
    terminal.expectNothingOpen();
  });

  it('exits with 0 when only an optional one is down', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    terminal.provider.database('reports').goDown();
    expect(await terminal.run('status')).toBe(0);
    expect(terminal.stdout.text).toMatch(/^reports .* DBM_CONNECT_FAILED$/m);
    terminal.expectNothingOpen();
  });

  it('exits with 2 for a bad file, its problems on stderr', async () => {
    const terminal = new Terminal({ [FILE]: BAD });
    expect(await terminal.run('status', '--json')).toBe(2);
    expect(terminal.stdout.text).toBe('');
    expect(terminal.stderr.text).toContain('did you mean "max_open_conns"?');
  });

  it('exits with 2 for a file that cannot be read', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('status', '--config', 'gone.yaml')).toBe(2);
    expect(terminal.stderr.text).toContain('cannot read gone.yaml');
  });
});

describe('dbmanager serve', () => {
  /** Starts `serve` on any free port and waits until it is up. */
  async function serving(
    terminal: Terminal,
    ...options: string[]
  ): Promise<{ readonly url: string; readonly exitCode: Promise<number> }> {
    const exitCode = terminal.run('serve', '--port', '0', ...options);
    const started = terminal.stdout.until(/^(http:.*)\/health$/m);
    const failed = exitCode.then((code): never => {
      throw new Error(`serve exited with ${code}: ${terminal.stderr.text}`);
    });
    const [, url] = await Promise.race([started, failed]);
    failed.catch(() => undefined); // it exits when the test tells it to
    return { url: url ?? '', exitCode };
  }

  it('prints the connections and its URLs, and serves them', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    const { url, exitCode } = await serving(terminal);
    expect(terminal.stdout.text).toMatch(/^primary +fake +ready +healthy /m);
    for (const path of ['/metrics', '/health', '/health/live', '/health/ready']) {
      expect(terminal.stdout.text).toContain(`${url}${path}\n`);
      expect((await fetch(url + path)).status).toBe(200);
    }
    terminal.signal('SIGTERM');
    expect(await exitCode).toBe(0);
  });

  it('serves the slowest statements when it is told to, so that top shows them', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    const { url, exitCode } = await serving(terminal, '--statements');
    expect(terminal.stdout.text).toContain(`${url}/statements\n`);
    const answer = await fetch(`${url}/statements`);
    const names = ['primary', 'reports', 'archive'];
    expect(await answer.json()).toEqual({ connections: names.map((name) => ({ name, statements: [] })) });
    const onlooker = new Terminal();
    expect(await onlooker.run('top', '--once', '--url', url)).toBe(0);
    expect(onlooker.stdout.text).toMatch(/^primary +fake +healthy /m);
    expect(onlooker.stdout.text).not.toContain('/statements');
    terminal.signal('SIGTERM');
    expect(await exitCode).toBe(0);
  });

  it('serves no statements unasked', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    const { url, exitCode } = await serving(terminal);
    expect(terminal.stdout.text).not.toContain('/statements');
    expect((await fetch(`${url}/statements`)).status).toBe(404);
    terminal.signal('SIGTERM');
    expect(await exitCode).toBe(0);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('drains on %s and exits with 0', async (signal) => {
    const terminal = new Terminal({ [FILE]: GOOD });
    const { url, exitCode } = await serving(terminal);
    terminal.signal(signal);
    expect(await exitCode).toBe(0);
    expect(terminal.stderr.text).toContain(`${signal}: draining`);
    expect(terminal.listensToSignals).toBe(false);
    terminal.expectNothingOpen();
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
  });

  it('is unready while it drains, tells who kept it waiting, and ends at once at the second signal', async () => {
    const terminal = new Terminal({ [FILE]: `${GOOD}  drain_timeout: 1s\n` });
    const { url, exitCode } = await serving(terminal);
    const lease = await terminal.managers[0]?.get('primary').acquire();
    terminal.signal('SIGINT');
    const ready = await fetch(`${url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ shuttingDown: true });
    await terminal.clock.advance(499);
    terminal.signal('SIGINT'); // npm's echo of the first
    expect(terminal.exits).toEqual([]);
    await terminal.clock.advance(1);
    terminal.signal('SIGTERM');
    expect(terminal.exits).toEqual([143]);
    terminal.signal('SIGINT');
    expect(terminal.exits).toEqual([143, 130]);
    expect(await exitCode).toBe(0);
    expect(terminal.stderr.text).toContain('warn primary: closed with connections still in use: 1\n');
    expect(lease?.released).toBe(true);
  });

  it('turns unready when a required database goes and ready when it returns', async () => {
    const terminal = new Terminal({
      [FILE]: `${GOOD}  health_check_interval: 100ms\n  retry_delay: 1ms\n  retry_max_delay: 1ms\n`,
    });
    const { url, exitCode } = await serving(terminal);
    terminal.provider.database('primary').goDown();
    await terminal.stderr.until(/warn connection degraded \{"connection":"primary"/);
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    terminal.provider.database('primary').goUp();
    await terminal.stderr.until(/info connection ready \{"connection":"primary","from":"degraded"/);
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    terminal.signal('SIGTERM');
    expect(await exitCode).toBe(0);
  });

  it('exits with 1 and closes everything when a required database is down at the start', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    terminal.provider.database('primary').goDown();
    expect(await terminal.run('serve', '--port', '0')).toBe(1);
    expect(terminal.stderr.text).toContain('error: connection "primary"');
    expect(terminal.stderr.text).toContain('DBM_STARTUP_FAILED: ');
    expect(terminal.listensToSignals).toBe(false);
    terminal.expectNothingOpen();
  });

  it('exits with 0 when it is told to stop while it still connects', async () => {
    const terminal = new Terminal({ [FILE]: GOOD });
    terminal.provider.database('primary').connects.latencyMs = Number.POSITIVE_INFINITY;
    const exitCode = terminal.run('serve', '--port', '0');
    await terminal.stderr.until(/connection connecting \{"connection":"primary"/);
    terminal.signal('SIGTERM');
    expect(await exitCode).toBe(0);
    terminal.expectNothingOpen();
  });

  it('exits with 2 when the port is in use, before any database is opened', async () => {
    const holder = new Terminal({ [FILE]: GOOD });
    const { url, exitCode } = await serving(holder);
    const port = new URL(url).port;
    const terminal = new Terminal({ [FILE]: GOOD });
    expect(await terminal.run('serve', '--port', port)).toBe(2);
    expect(terminal.stderr.text).toContain(`port ${port} of 127.0.0.1 is in use`);
    expect(terminal.provider.database('primary').attempts).toBe(0);
    holder.signal('SIGTERM');
    await exitCode;
  });

  it('takes the port from PORT, but rather from --port', async () => {
    const holder = new Terminal({ [FILE]: GOOD });
    const { url, exitCode } = await serving(holder);
    const taken = new URL(url).port;

    const byEnvironment = new Terminal({ [FILE]: GOOD }, { PORT: taken });
    expect(await byEnvironment.run('serve')).toBe(2);
    expect(byEnvironment.stderr.text).toContain(`port ${taken} of 127.0.0.1 is in use`);

    const byOption = new Terminal({ [FILE]: GOOD }, { PORT: taken });
    const running = await serving(byOption);
    byOption.signal('SIGTERM');
    expect(await running.exitCode).toBe(0);

    holder.signal('SIGTERM');
    await exitCode;
  });

  it.each([['abc'], ['70000'], ['-1'], ['1.5']])('refuses PORT=%s', async (PORT) => {
    const terminal = new Terminal({ [FILE]: GOOD }, { PORT });
    expect(await terminal.run('serve')).toBe(2);
    expect(terminal.stderr.text).toContain(`PORT is "${PORT}"`);
  });

  it.each([['abc'], ['70000'], ['1.5']])('refuses --port %s', async (port) => {
    const terminal = new Terminal({ [FILE]: GOOD });
    expect(await terminal.run('serve', '--port', port)).toBe(2);
    expect(terminal.stderr.text).toContain('whole number from 0 to 65535');
  });
});

describe('dbmanager schema', () => {
  it('prints the JSON Schema', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('schema')).toBe(0);
    expect(JSON.parse(terminal.stdout.text)).toEqual({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
  });
});

describe('the command line', () => {
  it.each([['--help'], ['serve', '--help'], ['help', 'check']])('gives help on stdout for %s %s', async (...argv) => {
    const terminal = new Terminal();
    expect(await terminal.run(...argv)).toBe(0);
    expect(terminal.stdout.text).toContain('Usage: dbmanager');
    expect(terminal.stderr.text).toBe('');
  });

  it('prints the version', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('--version')).toBe(0);
    expect(terminal.stdout.text).toBe('1.2.3\n');
  });

  it('prints help on stderr and exits with 2 without a command', async () => {
    const terminal = new Terminal();
    expect(await terminal.run()).toBe(2);
    expect(terminal.stderr.text).toContain('Usage: dbmanager');
  });

  it.each([
    [['chek'], 'Did you mean check?'],
    [['status', '--jsn'], 'Did you mean --json?'],
    [['check', '--format', 'xml'], 'Allowed choices are text, json, github'],
    [['check', 'a.yaml', 'b.yaml'], 'too many arguments'],
    [['serve', '--port'], 'argument missing'],
  ])('exits with 2 for %j and helps: %s', async (argv, hint) => {
    const terminal = new Terminal({ 'a.yaml': GOOD });
    expect(await terminal.run(...argv)).toBe(2);
    expect(terminal.stderr.text).toContain(hint);
  });

  it('lets an error that is not dbmanager’s own through, so that its stack is seen', async () => {
    const bug = new TypeError('bug');
    const io = new Terminal();
    const host = {
      version: '1',
      sqlTypes: [],
      schema: () => ({}),
      load: () => Promise.reject(bug),
      check: () => Promise.reject(bug),
    };
    const cli: CliIo = {
      stdout: io.stdout,
      stderr: io.stderr,
      env: {},
      clock: io.clock,
      fileExists: () => true,
      readInput: async () => '',
      onStop: () => () => {},
      exit: () => {},
    };
    await expect(runCli(['check'], cli, host)).rejects.toBe(bug);
  });
});
