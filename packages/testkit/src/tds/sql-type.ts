/** Types that columns, variables and parameters can have. */
export const TYPE_NAMES = [
  'bit',
  'tinyint',
  'smallint',
  'int',
  'bigint',
  'decimal',
  'numeric',
  'money',
  'smallmoney',
  'real',
  'float',
  'date',
  'time',
  'datetime',
  'smalldatetime',
  'datetime2',
  'datetimeoffset',
  'char',
  'varchar',
  'text',
  'nchar',
  'nvarchar',
  'ntext',
  'binary',
  'varbinary',
  'image',
  'uniqueidentifier',
  'xml',
  'sql_variant',
  'rowversion',
] as const;

export type TypeName = (typeof TYPE_NAMES)[number];

/** What kinds of types share in how they are stored, compared and sent. */
export type TypeFamily = 'whole' | 'exact' | 'approximate' | 'temporal' | 'text' | 'binary' | 'guid';

/** A type as a declaration says it. */
export interface SqlType {
  readonly name: TypeName;
  /** Of text in characters, of bytes in bytes. */
  readonly length?: number | 'max';
  readonly precision?: number;
  /** Digits behind the point; of times, of the second. */
  readonly scale?: number;
}

const FAMILIES: Readonly<Record<TypeName, TypeFamily>> = {
  bit: 'whole',
  tinyint: 'whole',
  smallint: 'whole',
  int: 'whole',
  bigint: 'whole',
  decimal: 'exact',
  numeric: 'exact',
  money: 'exact',
  smallmoney: 'exact',
  real: 'approximate',
  float: 'approximate',
  date: 'temporal',
  time: 'temporal',
  datetime: 'temporal',
  smalldatetime: 'temporal',
  datetime2: 'temporal',
  datetimeoffset: 'temporal',
  char: 'text',
  varchar: 'text',
  text: 'text',
  nchar: 'text',
  nvarchar: 'text',
  ntext: 'text',
  binary: 'binary',
  varbinary: 'binary',
  image: 'binary',
  uniqueidentifier: 'guid',
  xml: 'text',
  sql_variant: 'text',
  rowversion: 'binary',
};

/** Other names of types, as declarations may have them. */
const SYNONYMS: Readonly<Record<string, SqlType>> = {
  integer: { name: 'int' },
  dec: { name: 'decimal' },
  character: { name: 'char' },
  sysname: { name: 'nvarchar', length: 128 },
  timestamp: { name: 'rowversion' },
};

const WITH_LENGTH = new Set<TypeName>(['char', 'varchar', 'nchar', 'nvarchar', 'binary', 'varbinary']);
const WITH_SCALE = new Set<TypeName>(['time', 'datetime2', 'datetimeoffset']);
const WITH_PRECISION = new Set<TypeName>(['decimal', 'numeric']);

export function familyOf(type: SqlType): TypeFamily {
  return FAMILIES[type.name];
}

/** True when values of it count characters in two bytes. */
export function isUnicode({ name }: SqlType): boolean {
  return name.startsWith('n') || name === 'xml' || name === 'sql_variant';
}

/** The type of that name with those arguments; undefined when there is none. */
export function sqlType(name: string, ...args: readonly (number | 'max')[]): SqlType | undefined {
  const lower = name.toLowerCase();
  const synonym = SYNONYMS[lower];
  const known = synonym?.name ?? TYPE_NAMES.find((candidate) => candidate === lower);
  if (known === undefined) return undefined;
  const [first, second] = args;
  if (WITH_LENGTH.has(known)) return { name: known, length: first ?? synonym?.length ?? 1 };
  if (WITH_SCALE.has(known)) return { name: known, scale: typeof first === 'number' ? first : 7 };
  if (WITH_PRECISION.has(known)) {
    return {
      name: known,
      precision: typeof first === 'number' ? first : 18,
      scale: typeof second === 'number' ? second : 0,
    };
  }
  return { name: known };
}

/** A type as a declaration writes it. */
export function declarationOf(type: SqlType): string {
  if (WITH_LENGTH.has(type.name)) return `${type.name}(${type.length ?? 1})`;
  if (WITH_SCALE.has(type.name)) return `${type.name}(${type.scale ?? 7})`;
  if (WITH_PRECISION.has(type.name)) return `${type.name}(${type.precision ?? 18}, ${type.scale ?? 0})`;
  return type.name;
}

export const INT: SqlType = { name: 'int' };
export const BIGINT: SqlType = { name: 'bigint' };
export const BIT: SqlType = { name: 'bit' };
export const FLOAT: SqlType = { name: 'float' };
export const GUID: SqlType = { name: 'uniqueidentifier' };
export const DATETIME: SqlType = { name: 'datetime' };
export const DATETIME2: SqlType = { name: 'datetime2', scale: 7 };
export const NVARCHAR_MAX: SqlType = { name: 'nvarchar', length: 'max' };
export const VARBINARY_MAX: SqlType = { name: 'varbinary', length: 'max' };
