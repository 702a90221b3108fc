import type { ConnectionReport } from '@dbmanager/http';
import { formatTable } from './table.js';

const HEAD = ['NAME', 'TYPE', 'STATE', 'STATUS', 'LATENCY', 'OPEN', 'IDLE', 'IN USE', 'ERROR'];

/** The connections as a table for people. */
export function connectionTable(connections: readonly ConnectionReport[]): string {
  return formatTable([HEAD, ...connections.map(row)]);
}

function row({ name, type, state, status, latencyMs, pool, errorCode }: ConnectionReport): string[] {
  const latency = latencyMs === null ? '-' : `${latencyMs.toFixed(1)} ms`;
  const counts = [pool.open, pool.idle, pool.inUse].map(String);
  return [name, type, state, status, latency, ...counts, errorCode ?? '-'];
}
