import { SqlError } from '../sql-error.js';
import {
  BIGINT,
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
  OBJECT_ID: ([name = [], type], renderer) => {
    const ofType = type === undefined ? '' : ` AND __kind = rtrim(${renderer.render(type)})`;
    return `(SELECT __id FROM __names WHERE __key = object_key(${renderer.render(name)})${ofType})`;
  },
  OBJECT_NAME: ([id = []], renderer) => `(SELECT __name FROM __names WHERE __id = ${renderer.render(id)})`,
  OBJECT_SCHEMA_NAME: ([id = []], renderer) => `(SELECT __schema FROM __names WHERE __id = ${renderer.render(id)})`,
  OBJECT_DEFINITION: ([id = []], renderer) => `(SELECT __text FROM __names WHERE __id = ${renderer.render(id)})`,
  OBJECTPROPERTY: () => '0',
  SCHEMA_NAME: ([id], renderer) =>
    id === undefined ? `'dbo'` : `(SELECT __name FROM __schema_names WHERE __id = ${renderer.render(id)})`,
  SCHEMA_ID: ([name], renderer) =>
    name === undefined
      ? '1'
      : `(SELECT __id FROM __schema_names WHERE __name = ${renderer.render(name)} COLLATE NOCASE)`,
  COLUMNPROPERTY: ([id = [], column = [], property = []], renderer) =>
    `(SELECT column_property(${renderer.render(property)}, __identity, __nullable, __computed) FROM __column_names` +
    ` WHERE __of = ${renderer.render(id)} AND __name = ${renderer.render(column)} COLLATE NOCASE)`,
  COL_NAME: ([id = [], column = []], renderer) =>
    `(SELECT __name FROM __column_names WHERE __of = ${renderer.render(id)} AND __id = ${renderer.render(column)})`,
  COL_LENGTH: ([table = [], column = []], renderer) =>
    `(SELECT type_length(__type, __length) FROM __column_names WHERE __of =` +
    ` (SELECT __id FROM __names WHERE __key = object_key(${renderer.render(table)}))` +
    ` AND __name = ${renderer.render(column)} COLLATE NOCASE)`,
  TYPE_NAME: ([id = []], renderer) => `(SELECT name FROM __types WHERE id = ${renderer.render(id)})`,
  FN_LISTEXTENDEDPROPERTY: ([name = [], , schema = [], , table = [], , column = []], renderer) =>
    `(SELECT p.name AS name, p.value AS value FROM __properties p WHERE p.name = ${renderer.render(name)} AND p.major_id =` +
    ` object_hash(${renderer.render(schema)} || '.' || ${renderer.render(table)}) AND p.minor_id = coalesce((SELECT __id` +
    ` FROM __column_names WHERE __of = p.major_id AND __name = ${renderer.render(column)} COLLATE NOCASE), 0))`,
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
