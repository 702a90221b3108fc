import { formatTable } from './table.js';
import type { TopReading } from './top-command.js';

const POOLS = ['NAME', 'TYPE', 'STATUS', 'LATENCY', 'IN USE', 'IDLE', 'MAX', 'WAITING', 'ERROR'];
const STATEMENTS = ['CONNECTION', 'COUNT', 'ERRORS', 'TOTAL', 'MEAN', 'MAX', 'STATEMENT'];
/** Longest part of a statement that is shown. */
const LONGEST = 100;

/** Two tables: the pools, and the statements that took most time altogether, of all connections. */
export function topScreen({ connections, statements }: TopReading, limit: number): string {
  const pools = connections.map(({ name, type, status, latencyMs, pool, errorCode }) => [
    ...[name, type, status, latencyMs === null ? '-' : milliseconds(latencyMs)],
    ...[pool.inUse, pool.idle, pool.max, pool.pending].map(String),
    errorCode ?? '-',
  ]);
  const poolTable = formatTable([POOLS, ...pools]);
  if (statements === undefined)
    return printable(`${poolTable}\nno statements: the process does not serve /statements\n`);
  const worst = statements.connections
    .flatMap(({ name, statements: all }) => all.map((each) => ({ name, ...each })))
    .sort((a, b) => b.totalMs - a.totalMs)
    .slice(0, limit)
    .map(({ name, count, errors, totalMs, maxMs, text }) => [
      ...[name, String(count), String(errors)],
      ...[totalMs, count === 0 ? 0 : totalMs / count, maxMs].map(milliseconds),
      shorten(text),
    ]);
  return printable(`${poolTable}\n${formatTable([STATEMENTS, ...worst])}`);
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** Another process has sent it: what would command the terminal is not let at it. */
function printable(screen: string): string {
  return screen.replace(/[^\P{Cc}\n]/gu, ' ');
}
