import { SqlError } from '../sql-error.js';
import {
  BIGINT,
  BIT,
  DATETIME,
  DATETIME2,
  declarationOf,
  FLOAT,
  familyOf,
  GUID,
  INT,
  NVARCHAR_MAX,
  type SqlType,
} from '../sql-type.js';
import { typeOfNodes } from './select-items.js';
import { indexOfWord, isName, type Node, nameOf, splitAtCommas } from './token-tree.js';

/** What turns parts of expressions into SQLite's. */
export interface ExpressionRenderer {
  readonly scope: { readonly database: string };
  render(nodes: readonly Node[]): string;
}

type Render = (args: readonly (readonly Node[])[], renderer: ExpressionRenderer) => string;

/** Types of what functions and system variables give, where it is always the same. */
export const FUNCTION_TYPES: Readonly<Record<string, SqlType>> = {
  COUNT: INT,
  COUNT_BIG: BIGINT,
  LEN: INT,
  DATALENGTH: INT,
  CHARINDEX: INT,
  OBJECT_ID: INT,
  DB_ID: INT,
  DATEDIFF: INT,
  DATEPART: INT,
  XACT_STATE: INT,
  ROW_NUMBER: BIGINT,
  SCOPE_IDENTITY: { name: 'numeric', precision: 38, scale: 0 },
  IDENT_CURRENT: { name: 'numeric', precision: 38, scale: 0 },
  NEWID: GUID,
  GETDATE: DATETIME,
  GETUTCDATE: DATETIME,
  CURRENT_TIMESTAMP: DATETIME,
  SYSDATETIME: DATETIME2,
  SYSUTCDATETIME: DATETIME2,
  SYSDATETIMEOFFSET: { name: 'datetimeoffset', scale: 7 },
  DB_NAME: NVARCHAR_MAX,
  RAND: FLOAT,
};

export const SYSTEM_VARIABLE_TYPES: Readonly<Record<string, SqlType>> = {
  '@@rowcount': INT,
  '@@trancount': INT,
  '@@spid': { name: 'smallint' },
  '@@error': INT,
  '@@identity': { name: 'numeric', precision: 38, scale: 0 },
  '@@lock_timeout': INT,
  '@@nestlevel': INT,
  '@@fetch_status': INT,
};

const RENAMED: Readonly<Record<string, string>> = {
  ISNULL: 'ifnull',
  COUNT_BIG: 'count',
  SUBSTRING: 'substr',
  CEILING: 'ceil',
  JSON_VALUE: 'json_extract',
  JSON_QUERY: 'json_extract',
  CHAR_LENGTH: 'length',
};

/** A part of a date, such as `day` in DATEADD(day, 1, x), is no name. */
const withDatePart =
  (name: string): Render =>
  ([part, ...rest], renderer) =>
    `${name}(${[`'${wordOf(part)}'`, ...rest.map((arg) => renderer.render(arg))].join(', ')})`;

const SPECIAL: Readonly<Record<string, Render>> = {
  CAST: ([operand = []], renderer) => {
    const as = indexOfWord(operand, ['AS']);
    return cast(renderer.render(operand.slice(0, as)), typeOfNodes(operand.slice(as + 1)));
  },
  TRY_CAST: ([operand = []], renderer) => {
    const as = indexOfWord(operand, ['AS']);
    return cast(renderer.render(operand.slice(0, as)), typeOfNodes(operand.slice(as + 1)), 'try_convert');
  },
  CONVERT: ([type = [], operand = []], renderer) => cast(renderer.render(operand), typeOfNodes(type)),
  TRY_CONVERT: ([type = [], operand = []], renderer) =>
    cast(renderer.render(operand), typeOfNodes(type), 'try_convert'),
  DATEADD: withDatePart('dateadd'),
  DATEDIFF: withDatePart('datediff'),
  DATEPART: withDatePart('datepart'),
  DATENAME: withDatePart('datepart'),
  DB_NAME: (args, renderer) =>
    args.length === 0 ? `'${renderer.scope.database.replaceAll("'", "''")}'` : call('db_name', args, renderer),
  OBJECT_ID: ([name = [], type], renderer) =>
    `(SELECT object_id FROM "sys.objects" WHERE qualified_name = object_key(${renderer.render(name)})${
      type === undefined ? '' : ` AND type = ${renderer.render(type)}`
    })`,
  OBJECT_NAME: ([id = []], renderer) => `(SELECT name FROM "sys.objects" WHERE object_id = ${renderer.render(id)})`,
  OBJECT_SCHEMA_NAME: ([id = []], renderer) =>
    `(SELECT s.name FROM "sys.objects" o JOIN "sys.schemas" s ON s.schema_id = o.schema_id WHERE o.object_id = ${renderer.render(id)})`,
  SCHEMA_NAME: ([id], renderer) =>
    id === undefined ? `'dbo'` : `(SELECT name FROM "sys.schemas" WHERE schema_id = ${renderer.render(id)})`,
  SCHEMA_ID: ([name], renderer) =>
    name === undefined
      ? '1'
      : `(SELECT schema_id FROM "sys.schemas" WHERE name = ${renderer.render(name)} COLLATE NOCASE)`,
  COLUMNPROPERTY: ([id = [], column = [], property = []], renderer) =>
    `(SELECT column_property(${renderer.render(property)}, is_identity, is_nullable, is_computed) FROM "sys.columns"` +
    ` WHERE object_id = ${renderer.render(id)} AND name = ${renderer.render(column)})`,
  COL_NAME: ([id = [], column = []], renderer) =>
    `(SELECT name FROM "sys.columns" WHERE object_id = ${renderer.render(id)} AND column_id = ${renderer.render(column)})`,
  COL_LENGTH: ([table = [], column = []], renderer) =>
    `(SELECT c.max_length FROM "sys.columns" c JOIN "sys.objects" o ON o.object_id = c.object_id` +
    ` WHERE o.qualified_name = object_key(${renderer.render(table)}) AND c.name = ${renderer.render(column)})`,
  TYPE_NAME: ([id = []], renderer) => `(SELECT name FROM "sys.types" WHERE user_type_id = ${renderer.render(id)})`,
};

/** A call, in SQLite's words. Undefined for what only looks like a call, such as the columns of a CTE. */
export function translateFunction(
  parts: readonly string[],
  args: readonly Node[],
  renderer: ExpressionRenderer,
): string {
  const name = (parts.at(-1) ?? '').toUpperCase();
  const split = splitAtCommas(args);
  return SPECIAL[name]?.(split, renderer) ?? `${RENAMED[name] ?? name.toLowerCase()}(${renderer.render(args)})`;
}

function call(name: string, args: readonly (readonly Node[])[], renderer: ExpressionRenderer): string {
  return `${name}(${args.map((arg) => renderer.render(arg)).join(', ')})`;
}

function wordOf(nodes: readonly Node[] | undefined): string {
  const [node] = nodes ?? [];
  if (!isName(node)) throw new SqlError(1023, 'Invalid parameter 1 specified for a date function.');
  return nameOf(node).toLowerCase();
}

/** A value as one of another type. Whole numbers, dates and bytes are checked by a function of the engine. */
export function cast(operand: string, type: SqlType | undefined, by = 'convert_to'): string {
  if (type === undefined) throw new SqlError(243, 'Type is not a defined system type.');
  if (familyOf(type) === 'text' && type.length === 'max') return `CAST(${operand} AS TEXT)`;
  return `${by}('${declarationOf(type)}', ${operand})`;
}

export { BIT };
