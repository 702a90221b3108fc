import { join } from 'node:path';
import { DbManagerError } from '@dbmanager/core';
import {
  compareEngines,
  describeProblem,
  isUpToDate,
  renderQueryTypes,
  type SqlComparison,
  type SqlFiles,
  writeTypes,
} from '@dbmanager/sql-files';
import type { Command } from 'commander';
import type { CliConnection, CliManager } from './cli-host.js';
import type { CommandContext } from './command-context.js';
import { EXIT } from './failure.js';
import { formatTable } from './table.js';

/** Options that every command of `sql` has. */
interface SqlOptions {
  readonly config?: string;
  readonly path?: string;
}

/** The file that `types` writes into a folder of statements, unless told another. */
const TYPES_FILE = 'queries.d.ts';

/** A folder of statements, as all its engines find it, and the connections that use it. */
interface Folder {
  readonly path: string;
  readonly connections: readonly (readonly [connection: CliConnection, files: SqlFiles])[];
  readonly comparison: SqlComparison;
}

/** Adds `sql` and its commands. */
export function addSqlCommand(program: Command, context: CommandContext): void {
  const { io, host, done, fileHelp, fileOf } = context;
  const sql = program.command('sql').description('Check statements in files, and write their names as types.');
  const add = (signature: string, description: string) =>
    sql
      .command(signature)
      .description(description)
      .option('--config <file>', fileHelp)
      .option('--path <folder>', 'the folder of the statements (default: sql_path)');
  const run = async ({ config, path }: SqlOptions, work: (folders: Folder[]) => Promise<number>) => {
    const manager = await host.load(fileOf(config), {});
    try {
      done(await work(foldersOf(manager, path, context)));
    } finally {
      await manager.close();
    }
  };

  add(
    'check',
    'Compare the engines, and have each database prepare every statement. Exits with 1 when anything is wrong.',
  )
    .option('--offline', 'ask no database')
    .action((options: SqlOptions & { offline?: boolean }) =>
      run(options, async (folders) => {
        const codes: number[] = [];
        for (const folder of folders) codes.push(await check(folder, options.offline ?? false, context));
        return Math.max(...codes);
      }),
    );
  add('types', 'Write a file of types with the names of the statements and their parameters. Asks no database.')
    .option('--out <file>', `the file to write (default: ${TYPES_FILE} in the folder)`)
    .option('--check', 'write nothing; exit with 1 when the file is not up to date')
    .action((options: SqlOptions & { out?: string; check?: boolean }) =>
      run(options, async (folders) => {
        const faults = folders.flatMap(({ comparison }) => comparison.faults);
        if (faults.length > 0) {
          for (const fault of faults) io.stderr.write(`error: ${describeProblem(fault)}\n`);
          return EXIT.failed;
        }
        return types(folders, options.out ?? defaultOutput(folders), options.check ?? false, context);
      }),
    );
}

function foldersOf(manager: CliManager, path: string | undefined, { host }: CommandContext): Folder[] {
  const all = manager.getAll();
  const uses = [...manager.sqlFiles(path)].map(([name, files]) => [all.get(name) as CliConnection, files] as const);
  if (uses.length === 0) {
    throw new DbManagerError('DBM_INVALID_OPTION', 'no SQL connection names a folder of statements by sql_path', {
      option: 'sql_path',
    });
  }
  return [...Map.groupBy(uses, ([, files]) => files.path)].map(([folder, connections]) => {
    const used = connections.map(([{ type }]) => type);
    return { path: folder, connections, comparison: compareEngines(folder, used, host.sqlTypes) };
  });
}

/** What is shown of one engine: a connection, or a type that has a folder and no connection. */
interface Column {
  readonly title: string;
  readonly type: string;
  /** Its answer to each statement, by name; the error when it could not be asked; undefined when it was not. */
  readonly answers: ReadonlyMap<string, boolean | Error> | Error | undefined;
}

async function check({ path, connections, comparison }: Folder, offline: boolean, { io }: CommandContext) {
  const columns: Column[] = [];
  for (const [connection, files] of connections) {
    const { name, type } = connection;
    const canAsk = !offline && comparison.faults.length === 0;
    columns.push({ title: `${name} (${type})`, type, answers: canAsk ? await ask(connection, files) : undefined });
  }
  const used = new Set(columns.map(({ type }) => type));
  for (const type of comparison.engines.keys()) {
    if (!used.has(type)) columns.push({ title: type, type, answers: undefined });
  }
  const { names, faults, differences } = comparison;
  const rows = names.map((name) => [name, ...columns.map((column) => cell(name, column, comparison))]);
  io.stdout.write(`${path}\n${formatTable([['QUERY', ...columns.map(({ title }) => title)], ...rows])}`);
  const problems = [
    ...[...faults, ...differences].map(describeProblem),
    ...columns.flatMap((column) => refusals(column, comparison)),
  ];
  io.stdout.write(problems.map((problem) => `error: ${problem}\n`).join(''));
  return problems.length === 0 ? EXIT.ok : EXIT.failed;
}

/** What the database of a connection says to each statement, or why it could not be asked. */
async function ask(connection: CliConnection, files: SqlFiles): Promise<Column['answers']> {
  try {
    await connection.healthCheck();
    return await files.prepareAll(connection);
  } catch (error) {
    return error as Error;
  }
}

function cell(name: string, { type, answers }: Column, { engines }: SqlComparison): string {
  if (engines.get(type)?.has(name) !== true) return '-';
  if (answers instanceof Error) return 'not asked';
  const answer = answers?.get(name);
  if (answer instanceof Error) return 'refused';
  return answer === true ? 'prepared' : 'read';
}

function refusals({ title, type, answers }: Column, { engines }: SqlComparison): string[] {
  if (answers instanceof Error) return [`${title}: ${answers.message}`];
  return [...(answers ?? [])].flatMap(([name, answer]) => {
    if (!(answer instanceof Error)) return [];
    return `${engines.get(type)?.get(name)?.file ?? name}: ${answer.message}`;
  });
}

function defaultOutput(folders: readonly Folder[]): string {
  const [only, ...others] = folders;
  if (only !== undefined && others.length === 0) return join(only.path, TYPES_FILE);
  throw new DbManagerError('DBM_INVALID_OPTION', 'there are several folders of statements; name the file with --out', {
    option: 'out',
  });
}

async function types(folders: readonly Folder[], file: string, checks: boolean, { io }: CommandContext) {
  const text = renderQueryTypes(folders.map(({ comparison }) => comparison));
  if (!checks) await writeTypes(file, text);
  else if (!(await isUpToDate(file, text))) {
    io.stderr.write(`error: ${file} is not up to date; write it with: dbmanager sql types\n`);
    return EXIT.failed;
  }
  io.stdout.write(`${file}\n`);
  return EXIT.ok;
}
