import type { ColumnDefinition as SqliteColumn, Statement as SqliteStatement } from 'better-sqlite3';
import { SqlError } from '../sql-error.js';
import { BIGINT, BIT, FLOAT, INT, NVARCHAR_MAX, type SqlType, VARBINARY_MAX } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import type { ColumnDefinition } from '../table-definition.js';
import type { Token } from '../tsql/lexer.js';
import { quoted } from '../tsql/sqlite-names.js';
import type { MergeSteps, Translation } from '../tsql/translation.js';
import { Translator } from '../tsql/translator.js';
import type { Column } from '../wire/tokens.js';
import type { BatchRunner } from './batch-runner.js';
import { textOf } from './conversion.js';
import { cannotCommit, type Session } from './session.js';
import { type StatementContext, translateError } from './sqlite-errors.js';

type Row = readonly SqlValue[];

/** Rows looked at to find out what type a column is of which nothing is known. */
const ROWS_FOR_TYPES = 200;
/** Rows after which others, and a cancellation, get their turn. */
const ROWS_PER_TURN = 500;

/** Runs a statement that reads or writes rows. */
export async function runQuery(runner: BatchRunner, tokens: readonly Token[]): Promise<void> {
  const translation = new Translator(runner).query(tokens);
  try {
    await (isWrite(translation) ? write(runner, translation) : read(runner, translation));
  } catch (error) {
    const duplicate = (columns: readonly string[]) => duplicateKey(runner, translation, columns);
    throw translateError(error, { ...contextOf(runner.session, translation), duplicate });
  }
}

/** Compiles such a statement. */
export function compileQuery(runner: BatchRunner, tokens: readonly Token[]): void {
  const translation = new Translator(runner).query(tokens);
  try {
    runner.session.sqlite.prepare(translation.sql);
  } catch (error) {
    throw translateError(error, contextOf(runner.session, translation));
  }
}

/** What an error of SQLite is told with. */
export function contextOf(session: Session, { verb, target }: Pick<Translation, 'verb' | 'target'>): StatementContext {
  const name = target?.sqlName.replaceAll('"', '') ?? '';
  const table = target?.definition === undefined ? undefined : { name, definition: target.definition };
  return { database: session.database.name, verb, table, snapshot: session.options.isolation === 'snapshot' };
}

/** The key of the row of INSERT … VALUES that is there already, or comes twice. */
function duplicateKey(
  { session, variables }: BatchRunner,
  { insertedValues, target }: Translation,
  key: readonly string[],
): string | undefined {
  if (insertedValues === undefined || target === undefined) return undefined;
  const { columns, rows } = insertedValues;
  const places = key.map((name) => columns.findIndex((column) => column.toLowerCase() === name.toLowerCase()));
  if (rows.length === 0 || places.includes(-1)) return undefined;
  const same = key.map((name) => `${quoted(name)} = ?`).join(' AND ');
  const find = session.sqlite.prepare(`SELECT 1 FROM ${target.sqlName} WHERE ${same}`);
  const seen = new Set<string>();
  for (const row of rows) {
    const select = session.sqlite.prepare(`SELECT ${places.map((place) => row[place]).join(', ')}`).raw();
    const values = select.get(variables.bindings) as SqlValue[];
    const text = values.map((value) => (value === null ? '<NULL>' : textOf(value))).join(', ');
    if (seen.has(text.toLowerCase()) || find.get(...values) !== undefined) return text;
    seen.add(text.toLowerCase());
  }
  return undefined;
}

function isWrite({ verb, into }: Translation): boolean {
  return verb !== 'SELECT' || into !== undefined;
}

async function read(runner: BatchRunner, translation: Translation): Promise<void> {
  const { session, signal } = runner;
  if (translation.locks && session.open) await session.current.write(signal, () => undefined);
  else await session.current.beginRead(signal);
  checkSnapshot(session);
  const statement = session.sqlite.prepare(translation.sql);
  const rows = statement.raw().iterate(runner.variables.bindings) as IterableIterator<SqlValue[]>;
  if (translation.assigns !== undefined) assign(runner, translation.assigns, rows);
  else await send(runner, translation, statement, rows);
}

function checkSnapshot({ options, open, database }: Session): void {
  if (options.isolation !== 'snapshot' || !open || database.settings.allowSnapshotIsolation) return;
  throw new SqlError(
    3952,
    `Snapshot isolation transaction failed accessing database '${database.name}' because snapshot isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.`,
    { reach: 'transaction' },
  );
}

/** `SELECT @x = …`: the last row counts. */
function assign({ session, variables }: BatchRunner, names: readonly string[], rows: Iterable<Row>): void {
  session.rowCount = 0;
  for (const row of rows) {
    session.rowCount++;
    for (const [index, name] of names.entries()) variables.assign(name, row[index] ?? null);
  }
}

async function write(runner: BatchRunner, translation: Translation): Promise<void> {
  const { session, signal, sink } = runner;
  const { target, into } = translation;
  const temporary = target?.temporary ?? into?.at(-1)?.startsWith('#') ?? false;
  if (!temporary) checkWritable(session);
  checkSnapshot(session);
  checkIdentity(session, translation);
  const run = () => (into === undefined ? change(runner, translation) : selectInto(runner, translation, into));
  const { count, rows, statement } = temporary ? run() : await session.current.write(signal, run);
  session.rowCount = count;
  if (rows === undefined || translation.outputInto !== undefined)
    sink.done({ rowCount: session.options.noCount ? undefined : count });
  else await send(runner, translation, statement, rows);
}

export function checkWritable(session: Session): void {
  if (session.doomed) throw cannotCommit();
  const { settings, name } = session.database;
  if (settings.readOnly)
    throw new SqlError(3906, `Failed to update database "${name}" because the database is read-only.`, {
      reach: 'batch',
    });
}

/** Values for an identity column are taken only where SET IDENTITY_INSERT says so. */
function checkIdentity({ options }: Session, { verb, target, inserted = [] }: Translation): void {
  const identity = target?.definition?.columns.find((column) => column.identity !== undefined);
  if (verb !== 'INSERT' || identity === undefined || target === undefined) return;
  const name = target.sqlName.replaceAll('"', '');
  const explicit = inserted.some((column) => column.toLowerCase() === identity.name.toLowerCase());
  const allowed =
    options.identityInsert !== undefined && name.toLowerCase().endsWith(options.identityInsert.toLowerCase());
  if (explicit && !allowed) {
    throw new SqlError(
      544,
      `Cannot insert explicit value for identity column in table '${name}' when IDENTITY_INSERT is set to OFF.`,
    );
  }
}

interface Written {
  readonly count: number;
  /** What OUTPUT gives. */
  readonly rows: readonly SqlValue[][] | undefined;
  readonly statement: SqliteStatement;
}

function change(runner: BatchRunner, translation: Translation): Written {
  const { session, variables } = runner;
  const { sqlite } = session;
  if (translation.merge !== undefined) return merge(runner, translation, translation.merge);
  const statement = sqlite.prepare(translation.sql);
  if (!statement.reader) {
    const { changes } = statement.run(variables.bindings);
    keepIdentity(session, translation);
    return { count: changes, rows: undefined, statement };
  }
  const rows = statement.raw().all(variables.bindings) as SqlValue[][];
  keepIdentity(session, translation);
  fillOutput(session, translation, rows);
  return { count: rows.length, rows, statement };
}

/** OUTPUT … INTO. */
function fillOutput({ sqlite }: Session, { outputInto }: Translation, rows: readonly Row[]): void {
  if (outputInto === undefined) return;
  const { table, columns } = outputInto;
  const places = columns.map(() => '?').join(', ');
  const insert = sqlite.prepare(`INSERT INTO ${table.sqlName} (${columns.map(quoted).join(', ')}) VALUES (${places})`);
  for (const row of rows) insert.run(...row);
}

/** MERGE, step by step. */
function merge(
  { session, variables }: BatchRunner,
  translation: Translation,
  { prepare, write: steps, clean }: MergeSteps,
): Written {
  const { sqlite } = session;
  sqlite.exec(clean);
  for (const sql of prepare) sqlite.prepare(sql).run(variables.bindings);
  let count = 0;
  const rows: SqlValue[][] = [];
  const statements = steps.map((sql) => sqlite.prepare(sql));
  for (const statement of statements) {
    if (!statement.reader) count += statement.run(variables.bindings).changes;
    else rows.push(...(statement.raw().all(variables.bindings) as SqlValue[][]));
  }
  sqlite.exec(clean);
  fillOutput(session, translation, rows);
  const [statement] = statements;
  if (statement === undefined) {
    throw new SqlError(10_713, 'A MERGE statement must have at least one WHEN clause.', { severity: 15 });
  }
  return { count: count + rows.length, rows: statement.reader ? rows : undefined, statement };
}

/** A value given to an identity column by hand is counted on from. */
function keepIdentity(session: Session, { verb, target, inserted = [] }: Translation): void {
  const column = target?.definition?.columns.find(({ identity }) => identity !== undefined);
  if (verb !== 'INSERT' || target === undefined || column?.identity === undefined) return;
  if (!inserted.some((name) => name.toLowerCase() === column.name.toLowerCase())) return;
  const [largest] = session.sqlite
    .prepare(`SELECT MAX(${quoted(column.name)}) FROM ${target.sqlName}`)
    .raw()
    .get() as [bigint | null];
  if (largest === null) return;
  const { id } = column.identity;
  const last = session.database.lastIdentity(id) ?? Number.NEGATIVE_INFINITY;
  session.database.setIdentity(id, Math.max(last, Number(largest)));
  session.scopeIdentity = largest;
}

/** SELECT … INTO makes a table of what it gives. */
function selectInto(runner: BatchRunner, translation: Translation, into: readonly string[]): Written {
  const { session, variables } = runner;
  const statement = session.sqlite.prepare(translation.sql);
  const rows = statement.raw().all(variables.bindings) as SqlValue[][];
  const columns = resultColumns(session, translation, statement, rows).map(
    ({ name, type }): ColumnDefinition => ({ name, type, nullable: true }),
  );
  const definition = { columns, constraints: [], indexes: [] };
  createTable(session, into, definition);
  const table = runner.table(into);
  const insert = session.sqlite.prepare(`INSERT INTO ${table.sqlName} VALUES (${columns.map(() => '?').join(', ')})`);
  for (const row of rows) insert.run(...row);
  return { count: rows.length, rows: undefined, statement };
}

/** Makes a table of the database, or of the session alone when its name begins with `#`. */
export function createTable(
  session: Session,
  parts: readonly string[],
  definition: Parameters<Session['current']['store']['create']>[1],
): void {
  const name = parts.at(-1) ?? '';
  if (!name.startsWith('#')) session.current.store.create(parts, definition);
  else session.temporary.create(name, definition, session.current);
}

/** Sends rows, at the pace of the client. */
async function send(
  { session, sink, signal }: BatchRunner,
  translation: Translation,
  statement: SqliteStatement,
  rows: Iterable<SqlValue[]>,
): Promise<void> {
  const iterator = rows[Symbol.iterator]();
  const first: SqlValue[][] = [];
  let end = false;
  try {
    while (first.length < ROWS_FOR_TYPES && !end) {
      const { value, done } = iterator.next();
      if (done) end = true;
      else first.push(value);
    }
    const columns = resultColumns(session, translation, statement, first);
    sink.columns(columns);
    let count = 0;
    for (const row of rest(first, iterator)) {
      count++;
      const slow = sink.row(columns, row);
      if (slow === undefined && count % ROWS_PER_TURN !== 0) continue;
      await (slow ?? turn());
      signal.throwIfAborted();
    }
    session.rowCount = count;
    sink.done({ rowCount: session.options.noCount ? undefined : count });
  } finally {
    iterator.return?.();
  }
}

/** Lets the others have a turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function* rest(first: readonly SqlValue[][], iterator: Iterator<SqlValue[]>): Generator<SqlValue[]> {
  yield* first;
  for (let next = iterator.next(); !next.done; next = iterator.next()) yield next.value;
}

/** Names and types of a result: from the statement, from the table that a column is of, and in the end from its values. */
function resultColumns(
  session: Session,
  translation: Translation,
  statement: SqliteStatement,
  rows: readonly Row[],
): Column[] {
  const sqliteColumns = statement.columns() as SqliteColumn[];
  const known = translation.columns?.length === sqliteColumns.length ? translation.columns : undefined;
  return sqliteColumns.map((column, index) => {
    const origin = originOf(session, column);
    const { name = column.name, type, reference = column.name } = known?.[index] ?? {};
    return {
      name,
      type: type ?? origin?.type ?? typeOfValues(rows, index, reference),
      identity: origin?.identity !== undefined,
    };
  });
}

function originOf(session: Session, { table, column }: SqliteColumn): ColumnDefinition | undefined {
  if (table === null || column === null) return undefined;
  const definition =
    session.temporary.find(table, session.current) ?? session.current.catalog.bySqlName(table)?.definition;
  return definition?.columns.find(({ name }) => name.toLowerCase() === column.toLowerCase());
}

function typeOfValues(rows: readonly Row[], index: number, name: string): SqlType {
  const values = rows.map((row) => row[index] ?? null).filter((value) => value !== null);
  // The views of the catalogue have their flags as bits.
  if (/^is_/i.test(name) && values.every((value) => value === 0n || value === 1n)) return BIT;
  if (values.every((value) => typeof value === 'bigint')) {
    return values.every((value) => BigInt.asIntN(32, value as bigint) === value) ? INT : BIGINT;
  }
  if (values.every((value) => typeof value === 'bigint' || typeof value === 'number')) return FLOAT;
  return values.every((value) => Buffer.isBuffer(value)) ? VARBINARY_MAX : NVARCHAR_MAX;
}
