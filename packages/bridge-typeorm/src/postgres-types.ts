/** Type parsers, as pg takes them for one statement. */
export interface TypeParsers {
  getTypeParser(oid: number, format?: string): (value: string) => unknown;
}

const INT8 = 20;
const INT8_ARRAY = 1016;

/** How the results of a data source are parsed. */
export interface ResultOptions {
  readonly types?: TypeParsers | undefined;
  /** 64-bit integers as numbers, exact or not, as TypeORM's option of that name. */
  readonly parseInt8?: boolean | undefined;
}

/** The parsers to send with statements on `client`; undefined when its own will do. */
export function typesFor(client: TypeParsers, { types, parseInt8 }: ResultOptions): TypeParsers | undefined {
  return parseInt8 === true ? withInt8AsNumber(types ?? client) : types;
}

/** TypeORM's own way would change pg's parsers for everybody in the process. */
function withInt8AsNumber(types: TypeParsers): TypeParsers {
  return {
    getTypeParser(oid, format) {
      const parse = types.getTypeParser(oid, format);
      if (format === 'binary') return parse;
      if (oid === INT8) return (value) => Number.parseInt(value, 10);
      return oid === INT8_ARRAY ? (value) => numbers(parse(value)) : parse;
    },
  };
}

/** Elements as numbers, at any depth. */
function numbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbers);
  return typeof value === 'string' ? Number.parseInt(value, 10) : value;
}
