import { type AppliedMigration, createMigration, type MigrationProgress, type Migrations } from '@dbmanager/migrations';
import { type Command, InvalidArgumentError } from 'commander';
import { type CliIo, STOP_SIGNALS } from './cli-io.js';
import type { CommandContext } from './command-context.js';
import { EXIT } from './failure.js';
import { formatTable } from './table.js';

/** Options that every command of `migrate` has. */
interface MigrateOptions {
  readonly config?: string;
  readonly connection?: string;
  readonly path?: string;
  readonly table?: string;
}

/** A command with the migrations of its connection; gives its exit code. */
type Work = (migrations: Migrations, signal: AbortSignal) => Promise<number>;

/** Before the first migration. */
const NONE = 'none';
/** A long step tells how far it is no more often than this. */
const PROGRESS_MS = 1_000;

/** Adds `migrate` and its commands. */
export function addMigrateCommand(program: Command, context: CommandContext): void {
  const { io, done, fileHelp } = context;
  const migrate = program.command('migrate').description('Apply, take back, look at and create migrations.');
  const add = (signature: string, description: string) =>
    migrate
      .command(signature)
      .description(description)
      .option('--config <file>', fileHelp)
      .option('--connection <name>', 'the connection (default: the default one)')
      .option('--path <folder>', 'the folder of the migrations (default: migrations_path)')
      .option('--table <name>', 'the table of versions (default: migrations_table)');
  const run = async (options: MigrateOptions, work: Work) => done(await withMigrations(options, context, work));
  const listener = () => ({ onProgress: progressTo(io) });

  add('up', 'Apply what is pending, or the next N.')
    .argument('[n]', 'how many', parseCount)
    .action((steps: number | undefined, options: MigrateOptions) =>
      run(options, async (migrations, signal) => report(await migrations.up({ steps, signal, ...listener() }), io)),
    );
  add('down', 'Take back the last migration, or the last N.')
    .argument('[n]', 'how many', parseCount, 1)
    .action((steps: number, options: MigrateOptions) =>
      run(options, async (migrations, signal) => report(await migrations.down({ steps, signal, ...listener() }), io)),
    );
  add('goto', 'Go up or down to a version.')
    .argument('<version>', `the version, or ${NONE} for before the first`, parseVersion)
    .action((version: bigint | typeof NONE, options: MigrateOptions) =>
      run(options, async (migrations, signal) =>
        report(await migrations.goto(versionOf(version), { signal, ...listener() }), io),
      ),
    );
  add('status', 'Print what has been applied. Exits with 1 when the database is dirty.').action(
    (options: MigrateOptions) => run(options, (migrations) => status(migrations, io)),
  );
  add('plan', 'Print what up would do, or goto a version. Changes nothing.')
    .argument('[version]', 'the version', parseWholeNumber)
    .action((version: bigint | undefined, options: MigrateOptions) =>
      run(options, (migrations) => plan(migrations, version, io)),
    );
  add('verify', 'Print migrations that were edited, are missing or came late. Exits with 1 when there are any.').action(
    (options: MigrateOptions) => run(options, (migrations) => verify(migrations, io)),
  );
  add('force', 'Say that the database is at a version, clean. Runs nothing.')
    .argument('<version>', `the version, or ${NONE} for before the first`, parseVersion)
    .action((version: bigint | typeof NONE, options: MigrateOptions) =>
      run(options, async (migrations, signal) => {
        await migrations.force(versionOf(version), { signal });
        io.stdout.write(`version: ${version}\n`);
        return EXIT.ok;
      }),
    );
  add('create', 'Write the two empty files of a new migration.')
    .argument('<title...>', 'what it is for')
    .action(async (title: string[], options: MigrateOptions) => {
      const words = title.join(' ');
      const write = async (created: ReturnType<typeof createMigration>) => {
        const { up, down } = await created;
        io.stdout.write(`${up}\n${down}\n`);
        return EXIT.ok;
      };
      if (options.path !== undefined) done(await write(createMigration(options.path, words)));
      else await run(options, (migrations) => write(migrations.create(words)));
    });
}

async function withMigrations(options: MigrateOptions, context: CommandContext, work: Work): Promise<number> {
  const { io, host, fileOf } = context;
  const { connection, path, table } = options;
  const manager = await host.load(fileOf(options.config), {});
  const stop = new AbortController();
  const stopListening = io.onStop((signal) => {
    if (stop.signal.aborted) return io.exit(STOP_SIGNALS[signal]);
    io.stderr.write(`${signal}: interrupting; once more to stop at once\n`);
    stop.abort(signal);
  });
  try {
    const given = { ...(path === undefined ? {} : { path }), ...(table === undefined ? {} : { table }) };
    return await work(manager.migrations(connection, given), stop.signal);
  } finally {
    stopListening();
    await manager.close();
  }
}

function report(applied: readonly AppliedMigration[], io: CliIo): number {
  const rows = applied.map(({ version, description, direction, durationMs }) => [
    direction,
    String(version),
    description,
    `${Math.round(durationMs)} ms`,
  ]);
  io.stdout.write(rows.length === 0 ? 'nothing to do\n' : formatTable(rows));
  return EXIT.ok;
}

async function status(migrations: Migrations, io: CliIo): Promise<number> {
  const { version, dirty, migrations: entries } = await migrations.status();
  const rows = entries.map(({ version, description, state, appliedAt }) => [
    String(version),
    description,
    state,
    appliedAt?.toISOString() ?? '-',
  ]);
  io.stdout.write(formatTable([['VERSION', 'MIGRATION', 'STATE', 'APPLIED'], ...rows]));
  io.stdout.write(`\nversion: ${version ?? NONE}${dirty ? ', dirty' : ''}\n`);
  return dirty ? EXIT.failed : EXIT.ok;
}

async function plan(migrations: Migrations, version: bigint | undefined, io: CliIo): Promise<number> {
  const steps = await migrations.plan(version);
  const rows = steps.map(({ version, description, direction, transaction, statements }) => [
    direction,
    String(version),
    description,
    statements === undefined ? 'code' : `${statements} statement${statements === 1 ? '' : 's'}`,
    transaction ? 'in a transaction' : 'no transaction',
  ]);
  io.stdout.write(rows.length === 0 ? 'nothing to do\n' : formatTable(rows));
  return EXIT.ok;
}

async function verify(migrations: Migrations, io: CliIo): Promise<number> {
  const problems = await migrations.verify();
  const rows = problems.map(({ version, description, state }) => [state, String(version), description]);
  io.stdout.write(rows.length === 0 ? 'the migrations are those that were applied\n' : formatTable(rows));
  return rows.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Tells on stderr how far a long step is. */
function progressTo({ stderr, clock }: CliIo): (progress: MigrationProgress) => void {
  let toldAt = clock.now();
  return ({ version, description, done, total }) => {
    if (done === total || clock.now() - toldAt < PROGRESS_MS) return;
    toldAt = clock.now();
    const share = total === undefined ? '' : ` of ${total} (${Math.floor((100 * done) / total)} %)`;
    stderr.write(`${version} ${description}: ${done}${share}\n`);
  };
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1.');
}

function parseVersion(text: string): bigint | typeof NONE {
  return text === NONE ? NONE : parseWholeNumber(text);
}

function parseWholeNumber(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('It must be a version, which is a whole number.');
}

function versionOf(version: bigint | typeof NONE): bigint | null {
  return version === NONE ? null : version;
}
