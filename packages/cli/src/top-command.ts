import { DbManagerError, parseDuration, sleep } from '@dbmanager/core';
import { type ConnectionReport, DEFAULT_PORT, type HealthReport, type StatementsReport } from '@dbmanager/http';
import { type Command, InvalidArgumentError } from 'commander';
import type { CliIo } from './cli-io.js';
import { EXIT } from './failure.js';
import { topScreen } from './top-screen.js';

/** What `top` shows, and how often. */
export interface TopOptions {
  /** Of a process that serves `/health`, without a slash at the end. */
  readonly url: string;
  readonly intervalMs: number;
  /** Prints once and ends, for scripts. */
  readonly once: boolean;
  /** Most statements that are shown. */
  readonly limit: number;
}

/** What is known of the process now; undefined statements: it does not serve them. */
export interface TopReading {
  readonly connections: readonly ConnectionReport[];
  readonly statements: StatementsReport | undefined;
}

/** Clears the terminal and goes to its first place. */
const CLEAR = '\u001b[2J\u001b[H';
const DEFAULT_INTERVAL_MS = 2_000;
const DEFAULT_LIMIT = 15;
/** A process that takes longer to answer is as good as gone. */
const ANSWER_LIMIT_MS = 5_000;

/** Adds `top` to the command. */
export function addTopCommand(program: Command, { io, done }: { io: CliIo; done(exitCode: number): void }): void {
  program
    .command('top')
    .description('Watch the pools and the slowest statements of a process that serves /health and /statements.')
    .option('--url <url>', 'where it serves them', baseUrl, `http://127.0.0.1:${DEFAULT_PORT}`)
    .option('--interval <duration>', 'time between two looks', interval, DEFAULT_INTERVAL_MS)
    .option('--limit <number>', 'most statements to show', wholeNumber, DEFAULT_LIMIT)
    .option('--once', 'print once and end')
    .action(async ({ url, interval: intervalMs, limit, once = false }) => {
      done(await topCommand({ url, intervalMs, limit, once }, io));
    });
}

/**
 * Draws a table of pools and one of statements, again and again until a stop signal, which gives 0. Rejects with
 * `DBM_CONNECT_FAILED` when the process cannot be read at the first look; later that is shown in the place of the tables.
 */
export async function topCommand(options: TopOptions, io: CliIo): Promise<number> {
  const stop = new AbortController();
  const stopListening = io.onStop((signal) => stop.abort(signal));
  try {
    const first = topScreen(await read(options.url, stop.signal), options.limit);
    if (options.once) io.stdout.write(first);
    else await redraw(first, options, io, stop.signal);
    return EXIT.ok;
  } catch (error) {
    if (stop.signal.aborted) return EXIT.ok;
    throw error;
  } finally {
    stopListening();
  }
}

async function redraw(first: string, { url, limit, intervalMs }: TopOptions, io: CliIo, stop: AbortSignal) {
  for (let screen = first; ; ) {
    io.stdout.write(`${CLEAR}${screen}`);
    await sleep(io.clock, intervalMs, stop, { keepAlive: true });
    try {
      screen = topScreen(await read(url, stop), limit);
    } catch (error) {
      if (stop.aborted) throw error;
      screen = `${(error as Error).message}\n`;
    }
  }
}

async function read(url: string, stop: AbortSignal): Promise<TopReading> {
  const [health, statements] = await Promise.all([
    ask<HealthReport>(`${url}/health`, stop),
    ask<StatementsReport>(`${url}/statements`, stop),
  ]);
  if (health === undefined) throw unreadable(url, 'it serves no /health');
  return { connections: health.connections, statements };
}

/** The answer in JSON; undefined when there is none at that place. */
async function ask<T>(url: string, stop: AbortSignal): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([stop, AbortSignal.timeout(ANSWER_LIMIT_MS)]) });
    // Of what is down the state of health is told with 503.
    if (response.ok || response.status === 503) return (await response.json()) as T;
    await response.body?.cancel();
    return undefined;
  } catch (error) {
    throw unreadable(url, 'it does not answer, or not in JSON', error);
  }
}

function unreadable(url: string, why: string, cause?: unknown): DbManagerError {
  return new DbManagerError('DBM_CONNECT_FAILED', `${url}: ${why}`, { option: 'url', cause });
}

function baseUrl(text: string): string {
  const protocol = URL.parse(text)?.protocol;
  if (protocol === 'http:' || protocol === 'https:') return text.replace(/\/+$/, '');
  throw new InvalidArgumentError('It must be a URL: http://127.0.0.1:9464.');
}

function interval(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('It must be a duration: 500ms, 2s.');
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 on.');
}
