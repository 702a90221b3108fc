import { DbManagerError, isDbManagerError } from '@dbmanager/core';
import { DEFAULT_PORT } from '@dbmanager/http';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CHECK_FORMATS, type CheckFormat, checkCommand } from './check-command.js';
import type { CliHost } from './cli-host.js';
import type { CliIo } from './cli-io.js';
import { describeFailure, EXIT, exitCodeOf } from './failure.js';
import { addMigrateCommand } from './migrate-command.js';
import { addSecretsCommand } from './secrets-command.js';
import { serveCommand } from './serve-command.js';
import { addSqlCommand } from './sql-command.js';
import { statusCommand } from './status-command.js';
import { addTopCommand } from './top-command.js';

/** Where the file is looked for when none is named. */
const DEFAULT_FILES = ['config/dbmanager.yaml', 'dbmanager.yaml'];

/**
 * Runs the command `dbmanager` with these arguments (without the program's name) and gives its exit code: 0, 1 when a
 * database or the machine failed it, 2 when the command line or the file is wrong. Rejects only for a bug.
 */
export async function runCli(argv: readonly string[], io: CliIo, host: CliHost): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(io, host, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has written its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!isDbManagerError(error)) throw error;
    io.stderr.write(describeFailure(error));
    return exitCodeOf(error);
  }
}

function createProgram(io: CliIo, host: CliHost, done: (exitCode: number) => void): Command {
  const program = new Command('dbmanager')
    .description('One pool per database: check, watch and serve the connections of a dbmanager.yaml.')
    .version(host.version)
    // Both are inherited by the commands added below.
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });

  program
    .command('check')
    .description('Validate a file; print every problem with its place. Exits with 0 or 2.')
    .argument('[file]', fileHelp())
    .addOption(new Option('--format <format>', 'how to print problems').choices(CHECK_FORMATS).default('text'))
    .action(async (file: string | undefined, { format }: { format: CheckFormat }) => {
      done(await checkCommand(fileOf(file, io), format, io, host));
    });

  program
    .command('status')
    .description('Connect, check every connection and print a table. Exits with 1 when a required one is down.')
    .option('--config <file>', fileHelp())
    .option('--json', 'print JSON')
    .action(async ({ config, json = false }: { config?: string; json?: boolean }) => {
      done(await statusCommand(fileOf(config, io), json, io, host));
    });

  program
    .command('serve')
    .description('Connect and serve /metrics, /health, /health/live and /health/ready until SIGTERM or SIGINT.')
    .option('--config <file>', fileHelp())
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .addOption(
      new Option(
        '--port <port>',
        `port to listen on; 0 is any free one (default: PORT, else ${DEFAULT_PORT})`,
      ).argParser(parsePort),
    )
    .option('--statements', 'serve /statements too: the slowest statements, without their values')
    .action(async (options: { config?: string; host: string; port?: number; statements?: boolean }) => {
      const { config, host: address, port = portOf(io.env), statements = false } = options;
      done(await serveCommand(fileOf(config, io), { host: address, port, statements }, io, host));
    });

  const context = { io, host, done, fileHelp: fileHelp(), fileOf: (file: string | undefined) => fileOf(file, io) };
  addMigrateCommand(program, context);
  addSqlCommand(program, context);
  addTopCommand(program, context);
  addSecretsCommand(program, context);

  program
    .command('schema')
    .description('Print the JSON Schema of the file.')
    .action(() => {
      io.stdout.write(`${JSON.stringify(host.schema(), undefined, 2)}\n`);
    });

  return program;
}

function fileHelp(): string {
  return `the configuration (default: ${DEFAULT_FILES.join(', else ')})`;
}

function fileOf(given: string | undefined, io: CliIo): string {
  const file = given ?? DEFAULT_FILES.find((candidate) => io.fileExists(candidate));
  if (file !== undefined) return file;
  throw new DbManagerError(
    'DBM_CONFIG_UNREADABLE',
    `there is neither ${DEFAULT_FILES.join(' nor ')} here; name the file`,
  );
}

/** The port that the environment asks for. A variable that is set to nothing counts as not set. */
function portOf({ PORT }: CliIo['env']): number {
  if (PORT === undefined || PORT === '') return DEFAULT_PORT;
  const port = wholePort(PORT);
  if (port !== undefined) return port;
  throw new DbManagerError('DBM_INVALID_OPTION', `PORT is "${PORT}", which is no port from 0 to 65535`, {
    option: 'PORT',
  });
}

function parsePort(text: string): number {
  const port = wholePort(text);
  if (port === undefined) throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
  return port;
}

function wholePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}
