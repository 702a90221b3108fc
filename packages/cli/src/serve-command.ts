import { HealthServer, healthReport, type ListeningAddress } from '@dbmanager/http';
import type { CliHost, CliManager } from './cli-host.js';
import { type CliIo, STOP_SIGNALS } from './cli-io.js';
import { connectionTable } from './connection-table.js';
import { EXIT } from './failure.js';
import { lineLogger } from './line-logger.js';

/** Where `serve` listens, and what it serves. */
export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  /** Shows the slowest statements too, under `/statements`. */
  readonly statements: boolean;
}

/**
 * A repeat of the signal this soon is an echo, not impatience: at Ctrl-C the terminal signals every process of the group,
 * and npm, which is one of them, passes it on to its child as well.
 */
const ECHO_MS = 500;

const PATHS = ['/metrics', '/health', '/health/live', '/health/ready'] as const;

/**
 * Serves metrics and health until a stop signal, then turns unready, drains and gives 0. A second signal ends the process
 * at once. It listens before it connects, so that a probe is answered while databases are slow to come.
 */
export async function serveCommand(file: string, options: ServeOptions, io: CliIo, host: CliHost): Promise<number> {
  const manager = await host.load(file, { logger: lineLogger(io.stderr) });
  const shutdown = new AbortController();
  let stoppedAt: number | undefined;
  const stopListening = io.onStop((signal) => {
    const now = io.clock.now();
    if (stoppedAt === undefined) {
      stoppedAt = now;
      io.stderr.write(`${signal}: draining; once more to stop at once\n`);
      shutdown.abort(signal);
    } else if (now - stoppedAt >= ECHO_MS) {
      io.exit(STOP_SIGNALS[signal]);
    }
  });
  try {
    await serveUntil(shutdown.signal, manager, options, io);
    return EXIT.ok;
  } finally {
    stopListening();
  }
}

async function serveUntil(stop: AbortSignal, manager: CliManager, options: ServeOptions, io: CliIo): Promise<void> {
  const { host, port } = options;
  const statements = options.statements ? manager : undefined;
  let server: HealthServer | undefined;
  try {
    server = new HealthServer({ manager, metrics: manager.metrics(), statements, shutdown: stop });
    const listening = await server.listen({ host, port, signal: stop });
    await manager.connect({ signal: stop });
    io.stdout.write(greeting(manager, listening, options));
    await aborted(stop);
  } catch (error) {
    // Whatever a start that was told to stop fails with is no failure.
    if (!stop.aborted) throw error;
  } finally {
    // The endpoints go on answering while the pools drain.
    const { held } = await manager.close();
    for (const [name, leases] of Object.entries(held)) {
      io.stderr.write(`warn ${name}: closed with connections still in use: ${leases.length}\n`);
    }
    await server?.close();
  }
}

function greeting(manager: CliManager, { url }: ListeningAddress, { statements }: ServeOptions): string {
  const paths = statements ? [...PATHS, '/statements'] : PATHS;
  const urls = paths.map((path) => `${url}${path}\n`).join('');
  return `${connectionTable(healthReport(manager.stats()).connections)}\n${urls}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
