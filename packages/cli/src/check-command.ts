import { formatProblems } from '@dbmanager/config';
import { ConfigError, isDbManagerError, isError, type PlacedProblem } from '@dbmanager/core';
import type { CliHost } from './cli-host.js';
import type { CliIo } from './cli-io.js';
import { EXIT } from './failure.js';

/** How `check` writes problems. */
export const CHECK_FORMATS = ['text', 'json', 'github'] as const;

/** How `check` writes problems. */
export type CheckFormat = (typeof CHECK_FORMATS)[number];

/** Validates a file and writes every problem to stdout. Gives 0 or 2. */
export async function checkCommand(file: string, format: CheckFormat, io: CliIo, host: CliHost): Promise<number> {
  const { problems, connections } = await examine(file, host);
  io.stdout.write(formatProblems(problems, format));
  if (problems.some(isError)) return EXIT.usage;
  if (format === 'text') io.stdout.write(`${file}: valid, ${counted(connections.length)}${listed(connections)}\n`);
  return EXIT.ok;
}

interface Examination {
  readonly problems: readonly PlacedProblem[];
  /** Names; empty when the file is not valid. */
  readonly connections: readonly string[];
}

async function examine(file: string, host: CliHost): Promise<Examination> {
  try {
    const { config, warnings } = await host.check(file);
    return { problems: warnings, connections: config.connections.map(({ name }) => name) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, connections: [] };
    if (!isDbManagerError(error, 'DBM_CONFIG_UNREADABLE')) throw error;
    // A file that cannot be read is one more problem of the file, so that every format can tell it.
    const place = { file, line: 1, column: 1 };
    return { problems: [{ path: [], rule: 'unreadable', message: error.message, place }], connections: [] };
  }
}

function counted(connections: number): string {
  return connections === 1 ? '1 connection' : `${connections} connections`;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}
