import { SqlError } from '../sql-error.js';
import type { SqlValue } from '../sql-value.js';
import { tokenize } from '../tsql/lexer.js';
import { isToken, TokenCursor } from '../tsql/token-cursor.js';
import type { RpcParameter } from '../wire/rpc-request.js';
import type { BatchRunner } from './batch-runner.js';
import type { CatalogObject } from './catalog.js';
import { textOf } from './conversion.js';
import { nameParts } from './object-names.js';
import { deadlock } from './sqlite-errors.js';
import { Variables } from './variables.js';

/** The arguments of a call. Values of output parameters are put into them. */
export interface ProcedureCall {
  readonly parameters: { -readonly [K in keyof RpcParameter]: RpcParameter[K] }[];
}

/** A procedure of the system. Gives its return status. */
export type Procedure = (runner: BatchRunner, call: ProcedureCall) => Promise<number> | number;

export function procedureNamed(name: string): Procedure | undefined {
  return PROCEDURES[name.toLowerCase()];
}

/** The argument of that name, or at that place. */
function argument({ parameters }: ProcedureCall, name: string, place: number) {
  return parameters.find((parameter) => parameter.name.toLowerCase() === name) ?? unnamed(parameters[place]);
}

function unnamed<T extends { readonly name: string }>(parameter: T | undefined): T | undefined {
  return parameter?.name === '' ? parameter : undefined;
}

function value(call: ProcedureCall, name: string, place: number): SqlValue {
  return argument(call, name, place)?.value ?? null;
}

/** Runs text with parameters: `declarations` is such as `@a int, @b nvarchar(10) OUTPUT`. */
async function runText(
  runner: BatchRunner,
  sql: string,
  declarations: string,
  given: ProcedureCall['parameters'],
): Promise<number> {
  const { session } = runner;
  const variables = new Variables();
  // There may be two thousand.
  const named = new Map(given.map((parameter) => [parameter.name.toLowerCase(), parameter]));
  const parameters = parseDeclarations(declarations).map(({ name, type }, index) => {
    const parameter = named.get(name) ?? unnamed(given[index]);
    variables.declare(name, type, parameter?.value ?? null);
    return { name, parameter };
  });
  const before = session.depth;
  const complete = await runner.runText(sql, variables);
  for (const { name, parameter } of parameters) {
    if (parameter?.output) parameter.value = variables.value(name);
  }
  if (complete && session.depth !== before) {
    const counts = `Previous count = ${before}, current count = ${session.depth}.`;
    const text = `Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. ${counts}`;
    throw new SqlError(266, text, { state: 2 });
  }
  return complete ? 0 : session.errorNumber;
}

function parseDeclarations(text: string) {
  const cursor = new TokenCursor(tokenize(text));
  const declared: { name: string; type: NonNullable<ReturnType<TokenCursor['type']>> }[] = [];
  while (!cursor.atEnd) {
    const { value: name } = cursor.next();
    cursor.accept('AS');
    const type = cursor.type();
    if (type === undefined) throw cursor.wrong();
    declared.push({ name, type });
    cursor.until((token) => isToken(token, ','));
    cursor.accept(',');
  }
  return declared;
}

const executeSql: Procedure = (runner, call) => {
  const [statement, parameters, ...rest] = call.parameters;
  return runText(runner, textOf(statement?.value ?? null), textOf(parameters?.value ?? null), rest);
};

const prepare: Procedure = ({ session }, call) => {
  const [handle, parameters, statement] = call.parameters;
  if (handle === undefined)
    throw new SqlError(201, 'Procedure sp_prepare expects parameter @handle, which was not supplied.');
  handle.value = BigInt(session.prepare(textOf(statement?.value ?? null), textOf(parameters?.value ?? null)));
  return 0;
};

const execute: Procedure = (runner, call) => {
  const [handle, ...rest] = call.parameters;
  const prepared = runner.session.prepared.get(Number(handle?.value ?? 0));
  if (prepared === undefined) {
    throw new SqlError(8179, `Could not find prepared statement with handle ${handle?.value ?? 0}.`, {
      state: 2,
      reach: 'batch',
    });
  }
  return runText(runner, prepared.sql, prepared.parameters, rest);
};

const prepareAndExecute: Procedure = async (runner, call) => {
  await prepare(runner, call);
  const [handle, , , ...rest] = call.parameters;
  return execute(runner, { parameters: [handle as ProcedureCall['parameters'][number], ...rest] });
};

const unprepare: Procedure = ({ session }, call) => {
  session.prepared.delete(Number(call.parameters[0]?.value ?? 0));
  return 0;
};

/** Tells of no types: they are SQLite's to know. */
const describeParameters: Procedure = (runner, call) => {
  runner.compileText(textOf(value(call, '@tsql', 0)));
  return 0;
};

const getAppLock: Procedure = ({ control, session, signal }, call) => {
  const name = textOf(value(call, '@resource', 0));
  const owner = textOf(value(call, '@lockowner', 2)).toLowerCase() === 'session' ? 'session' : 'transaction';
  const timeout = value(call, '@locktimeout', 3);
  if (owner === 'transaction' && !session.open) {
    throw new SqlError(15_209, 'The application lock requires an active transaction.');
  }
  return control.lockNamed(
    session,
    name,
    owner,
    timeout === null ? session.options.lockTimeoutMs : Number(timeout),
    signal,
  );
};

const releaseAppLock: Procedure = ({ control, session }, call) => {
  const name = textOf(value(call, '@resource', 0));
  if (control.unlockNamed(session, name)) return 0;
  throw new SqlError(
    1223,
    `Cannot release the application lock (Database Principal: 'dbo', Resource: '${name}') because it is not currently held.`,
  );
};

const rename: Procedure = async ({ session, signal }, call) => {
  const from = nameParts(textOf(value(call, '@objname', 0)));
  const to = textOf(value(call, '@newname', 1));
  const kind = textOf(value(call, '@objtype', 2)).toUpperCase();
  const { store, catalog } = session.current;
  await session.current.write(signal, () => {
    if (kind === 'COLUMN') store.renameColumn(from.slice(0, -1), from.at(-1) ?? '', to);
    else if (kind === 'INDEX') store.renameIndex(from.slice(0, -1), from.at(-1) ?? '', to);
    else if (catalog.find(from) !== undefined) store.renameTable(from, to);
    else if (isColumn(catalog.find(from.slice(0, -1)), from.at(-1)))
      store.renameColumn(from.slice(0, -1), from.at(-1) ?? '', to);
    else renameConstraint(session, from.at(-1) ?? '', to);
  });
  return 0;
};

function isColumn(table: CatalogObject | undefined, name = ''): boolean {
  return table?.definition.columns.some((column) => column.name.toLowerCase() === name.toLowerCase()) ?? false;
}

/** A constraint is an object of its schema: its table is found by it. */
function renameConstraint({ current }: BatchRunner['session'], from: string, to: string): void {
  const is = ({ name }: { readonly name: string }) => name.toLowerCase() === from.toLowerCase();
  const table = current.catalog
    .all()
    .find(({ definition }) => definition.constraints.some(is) || definition.indexes.some(is));
  if (table === undefined)
    throw new SqlError(15_225, `No item by the name of '${from}' could be found in the current database.`, {
      severity: 11,
    });
  current.store.renameIndex([table.schema, table.name], from, to);
}

const setSessionContext: Procedure = ({ session }, call) => {
  session.context.set(textOf(value(call, '@key', 0)), value(call, '@value', 1));
  return 0;
};

/** Of the stand-in alone: has an error happen that the server makes by itself. */
const fail: Procedure = ({ session }, call) => {
  const number = Number(value(call, '@number', 0) ?? 1205);
  if (number === 1205) throw deadlock(session.spid);
  const severity = Number(value(call, '@severity', 1) ?? 16);
  throw new SqlError(number, `Error ${number} as the test has asked for it.`, {
    severity,
    reach: severity >= 16 ? 'transaction' : 'statement',
  });
};

/** Runs a command for each table, whose name takes the place of the `?`. */
const forEachTable: Procedure = async (runner, call) => {
  const command = textOf(value(call, '@command1', 0));
  for (const { kind, schema, name } of runner.session.current.catalog.all()) {
    if (kind !== 'U') continue;
    if (!(await runner.runText(command.replaceAll('?', `[${schema}].[${name}]`), new Variables()))) return 1;
  }
  return 0;
};

/** Comments on tables and columns, and what else is kept with them. */
const setProperty: Procedure = async ({ session, signal }, call) => {
  const [name, text, schema, table, column] = [
    value(call, '@name', 0),
    value(call, '@value', 1),
    value(call, '@level0name', 3),
    value(call, '@level1name', 5),
    value(call, '@level2name', 7),
  ];
  const { catalog } = session.current;
  const found = catalog.find([textOf(schema), textOf(table)]);
  if (found === undefined)
    throw new SqlError(15_135, `Object is invalid. Extended properties are not permitted on '${textOf(table)}'.`);
  await session.current.write(signal, () =>
    catalog.setProperty(found, column === null ? undefined : textOf(column), textOf(name), text),
  );
  return 0;
};

const dropProperty: Procedure = (runner, call) => {
  const parameters = call.parameters.flatMap((parameter, index) =>
    index === 1 && parameter.name === '' ? [{ ...parameter, value: null }, parameter] : [parameter],
  );
  return setProperty(runner, { parameters });
};

const PROCEDURES: Readonly<Record<string, Procedure>> = {
  sp_executesql: executeSql,
  sp_prepare: prepare,
  sp_execute: execute,
  sp_prepexec: prepareAndExecute,
  sp_unprepare: unprepare,
  sp_describe_undeclared_parameters: describeParameters,
  sp_getapplock: getAppLock,
  sp_releaseapplock: releaseAppLock,
  sp_rename: rename,
  sp_set_session_context: setSessionContext,
  sp_msforeachtable: forEachTable,
  sp_addextendedproperty: setProperty,
  sp_updateextendedproperty: setProperty,
  sp_dropextendedproperty: dropProperty,
  stand_in_error: fail,
};
