import { SqlError } from '../sql-error.js';
import type { QualifiedName, Statement } from '../tsql/statement.js';
import { textOf } from '../tsql/table-parser.js';
import { Translator } from '../tsql/translator.js';
import { unsupported } from '../tsql/unsupported.js';
import type { BatchRunner } from './batch-runner.js';
import { textOf as valueText } from './conversion.js';
import { nameParts, objectKey } from './object-names.js';
import { checkWritable, createTable } from './query-runner.js';
import { cannotCommit } from './session.js';
import { cannotDrop } from './table-store.js';

/** Runs a statement that makes, changes or drops what a database or the server is made of. */
export async function runDefinition(runner: BatchRunner, statement: Statement): Promise<void> {
  switch (statement.kind) {
    case 'createDatabase':
    case 'alterDatabase':
    case 'createLogin':
    case 'alterLogin':
      runServerDefinition(runner, statement);
      break;
    case 'drop':
      await drop(runner, statement);
      break;
    default:
      await runObjectDefinition(runner, statement);
  }
  runner.sink.done({});
}

function runServerDefinition(runner: BatchRunner, statement: Statement): void {
  const { control, session } = runner;
  switch (statement.kind) {
    case 'createDatabase':
      forbidInTransaction(runner, 'CREATE DATABASE');
      control.createDatabase(statement.name);
      return;
    case 'alterDatabase':
      alterDatabase(runner, statement.name ?? session.database.name, statement.option);
      return;
    case 'createLogin':
    case 'alterLogin':
      control.setLogin(statement.name, statement.password);
      return;
    default:
      throw unsupported(statement.kind);
  }
}

function forbidInTransaction({ session }: BatchRunner, what: string): void {
  if (!session.open) return;
  throw new SqlError(226, `${what} statement not allowed within multi-statement transaction.`, {
    state: 6,
    reach: 'batch',
  });
}

function alterDatabase({ control, session }: BatchRunner, name: string, option: readonly string[]): void {
  const settings = control.settings(name);
  const [first, second] = option;
  const on = option.at(-1) === 'ON';
  if (first === 'READ_ONLY' || first === 'READ_WRITE') settings.readOnly = first === 'READ_ONLY';
  else if (first === 'READ_COMMITTED_SNAPSHOT') settings.readCommittedSnapshot = on;
  else if (first === 'ALLOW_SNAPSHOT_ISOLATION') settings.allowSnapshotIsolation = on;
  else if (first === 'SINGLE_USER' || first === 'OFFLINE') control.endAllBut(name, session);
  else if (second === undefined && first === undefined) throw unsupported('this form of ALTER DATABASE');
  control.saveSettings();
}

async function drop(runner: BatchRunner, statement: Extract<Statement, { kind: 'drop' }>): Promise<void> {
  const { control, session } = runner;
  const { what, names, ifExists } = statement;
  for (const name of names) {
    switch (what) {
      case 'DATABASE':
        forbidInTransaction(runner, 'DROP DATABASE');
        dropDatabase(runner, name, ifExists);
        break;
      case 'LOGIN':
        control.dropLogin(name[0] ?? '');
        break;
      case 'USER':
      case 'TYPE':
        break;
      case 'TABLE':
      case 'VIEW':
        await dropTable(runner, what, name, ifExists);
        break;
      case 'SCHEMA':
        await change(runner, () => session.current.catalog.dropSchema(name[0] ?? ''));
        break;
      case 'INDEX':
        await dropIndex(runner, name, statement);
        break;
      default:
        if (!ifExists) throw unsupported(`DROP ${what}`);
    }
  }
}

function dropDatabase({ control, session }: BatchRunner, name: QualifiedName, ifExists: boolean): void {
  const [database = ''] = name;
  if (ifExists && session.server.database(database) === undefined) return;
  control.dropDatabase(database);
}

async function dropTable(
  runner: BatchRunner,
  what: 'TABLE' | 'VIEW',
  name: QualifiedName,
  ifExists: boolean,
): Promise<void> {
  const last = name.at(-1) ?? '';
  if (last.startsWith('#')) {
    if (!runner.session.temporary.drop(last) && !ifExists) throw cannotDrop('U', name);
  } else await change(runner, () => runner.session.current.store.drop(name, what === 'TABLE' ? 'U' : 'V', ifExists));
}

/** DROP INDEX i ON t, or t.i. */
async function dropIndex(
  runner: BatchRunner,
  name: QualifiedName,
  { table, ifExists }: Extract<Statement, { kind: 'drop' }>,
): Promise<void> {
  const of = table ?? name.slice(0, -1);
  await change(runner, () => runner.session.current.store.dropIndex(of, name.at(-1) ?? '', ifExists));
}

async function runObjectDefinition(runner: BatchRunner, statement: Statement): Promise<void> {
  const { session } = runner;
  switch (statement.kind) {
    case 'createTable': {
      const { name, definition } = statement;
      if (name.at(-1)?.startsWith('#')) createTable(session, name, definition);
      else await change(runner, () => createTable(session, name, definition));
      return;
    }
    case 'alterTable':
      await change(runner, () => session.current.store.alter(statement.name, statement.alteration));
      return;
    case 'truncate':
      await change(runner, () => session.current.store.truncate(statement.table));
      return;
    case 'reseed':
      reseed(runner, statement);
      return;
    case 'createIndex': {
      const { name, table, columns, unique, where } = statement;
      const index = { name, columns, unique, ...(where !== undefined && { where: textOf(where) }) };
      await change(runner, () => session.current.store.createIndex(table, index));
      return;
    }
    case 'createView': {
      const { sql } = new Translator(runner).query(statement.query);
      await change(runner, () => session.current.store.createView(statement.name, sql, statement.text));
      return;
    }
    case 'createSchema':
      await change(runner, () => session.current.catalog.createSchema(statement.name));
      return;
    case 'createType':
      session.createdType(objectKey(statement.name));
      return;
    default:
      throw unsupported(statement.kind);
  }
}

/** DBCC CHECKIDENT: the next value is the one after it; in a table that never had a row, it itself. */
function reseed(runner: BatchRunner, { table, value }: Extract<Statement, { kind: 'reseed' }>): void {
  const { session } = runner;
  const name = nameParts(valueText(runner.evaluate(table)));
  const column = session.current.catalog.find(name)?.definition.columns.find(({ identity }) => identity !== undefined);
  if (column?.identity === undefined) {
    throw new SqlError(7997, `'${name.join('.')}' does not contain an identity column.`);
  }
  const { id, increment } = column.identity;
  const seed = Number(runner.evaluate(value));
  session.database.setIdentity(id, session.database.lastIdentity(id) === undefined ? seed - increment : seed);
}

/** Changes definitions as a writer. */
async function change({ session, signal }: BatchRunner, work: () => void): Promise<void> {
  if (session.doomed) throw cannotCommit();
  checkWritable(session);
  await session.current.write(signal, work);
}
