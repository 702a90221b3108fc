import { StartupError } from '@dbmanager/core';
import { type HealthReport, healthReport } from '@dbmanager/http';
import type { CliHost, CliManager } from './cli-host.js';
import type { CliIo } from './cli-io.js';
import { connectionTable } from './connection-table.js';
import { EXIT } from './failure.js';

/** Connects, checks every connection and writes what it found to stdout. Gives 1 when one that is needed is down. */
export async function statusCommand(file: string, json: boolean, io: CliIo, host: CliHost): Promise<number> {
  const manager = await host.load(file, {});
  try {
    const report = await examine(manager);
    io.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : connectionTable(report.connections));
    return report.status === 'unhealthy' ? EXIT.failed : EXIT.ok;
  } finally {
    await manager.close();
  }
}

async function examine(manager: CliManager): Promise<HealthReport> {
  try {
    await manager.connect({});
  } catch (error) {
    // The report says which failed. The others have been closed with them; the checks below open those again.
    if (!(error instanceof StartupError)) throw error;
  }
  const open = [...manager.getAll().values()].filter(({ state }) => state !== 'failed');
  await Promise.allSettled(open.map((connection) => connection.healthCheck()));
  return healthReport(manager.stats());
}
