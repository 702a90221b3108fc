import { invalidDsn } from '@dbmanager/provider-server';

/** One `name=value` of a connection string of ADO.NET, ODBC or JDBC. */
export interface Property {
  /** As {@link propertyName} has it. */
  readonly name: string;
  readonly value: string;
  /** Says in messages which one it is, without showing anything of it. */
  readonly place: string;
}

/** A value may be quoted, its quote doubled: as ADO.NET has it by `"` or `'`, ODBC and JDBC by braces. */
const PROPERTY = /\s*([^=;]+?)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^;]*?))\s*(?:;|$)/y;
const BLANK = /[\s;]*$/y;

/** The properties of a list, parted by `;`, in their order. Throws {@link invalidDsn} for what is none. */
export function* properties(list: string): Generator<Property, void> {
  PROPERTY.lastIndex = 0;
  for (let number = 1, at = 0; !isBlank(list, at); number++) {
    const place = `property ${number}`;
    PROPERTY.lastIndex = at;
    const match = PROPERTY.exec(list);
    if (match === null) throw invalidDsn(`${place} is not of the form name=value`);
    at = PROPERTY.lastIndex;
    const [, name = '', braced, double, single, bare = ''] = match;
    const value = unquote(braced, '}') ?? unquote(double, '"') ?? unquote(single, "'") ?? bare;
    yield { name: propertyName(name), value, place };
  }
}

/** Neither spaces nor the case of a name matter. */
export function propertyName(text: string): string {
  return text.replace(/\s/g, '').toLowerCase();
}

function isBlank(list: string, at: number): boolean {
  BLANK.lastIndex = at;
  return BLANK.test(list);
}

function unquote(text: string | undefined, quote: string): string | undefined {
  return text?.replaceAll(quote + quote, quote);
}
