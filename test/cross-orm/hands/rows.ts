import type { EngineName, Entry } from '../hands.js';

/** An entry as a query builder without entities sends it. */
export type EntryRow = Readonly<Record<keyof Entry, unknown>>;

/** How entries become rows and come back, for those that know no types of columns. */
export interface RowCodec {
  toRow(entry: Entry): EntryRow;
  fromRow(row: EntryRow): Entry;
}

const postgres: RowCodec = {
  toRow: (entry) => ({ ...entry, json: JSON.stringify(entry.json), bytes: Buffer.from(entry.bytes) }),
  fromRow: (row) => ({
    ...common(row),
    at: row.at as Date,
    // pg reads a date as the midnight of the process's own time zone.
    day: localDay(row.day as Date),
    json: row.json,
    tags: row.tags as string[],
  }),
};

const mariadb: RowCodec = {
  toRow: (entry) => ({
    ...entry,
    json: JSON.stringify(entry.json),
    bytes: Buffer.from(entry.bytes),
    tags: JSON.stringify(entry.tags),
  }),
  fromRow: (row) => ({
    ...common(row),
    at: row.at as Date,
    day: utcDay(row.day as Date),
    json: row.json,
    tags: row.tags as string[],
  }),
};

const mssql: RowCodec = {
  toRow: (entry) => ({
    ...entry,
    // Knex sends no bigint, and a Date as the type datetime, which counts in 300ths of a second; so does Kysely.
    big: String(entry.big),
    at: entry.at.toISOString(),
    json: JSON.stringify(entry.json),
    bytes: Buffer.from(entry.bytes),
    tags: JSON.stringify(entry.tags),
  }),
  fromRow: (row) => ({
    ...common(row),
    at: row.at as Date,
    day: utcDay(row.day as Date),
    json: JSON.parse(String(row.json)),
    tags: JSON.parse(String(row.tags)),
  }),
};

const sqlite: RowCodec = {
  toRow: (entry) => ({
    ...entry,
    at: entry.at.getTime(),
    json: JSON.stringify(entry.json),
    bytes: Buffer.from(entry.bytes),
    tags: JSON.stringify(entry.tags),
  }),
  fromRow: (row) => ({
    ...common(row),
    at: new Date(Number(row.at)),
    day: String(row.day),
    json: JSON.parse(String(row.json)),
    tags: JSON.parse(String(row.tags)),
  }),
};

/** By engine. */
export const ROW_CODECS: Readonly<Record<EngineName, RowCodec>> = { postgres, mariadb, mssql, sqlite };

function common({ id, writer, big, bytes }: EntryRow): Pick<Entry, 'id' | 'writer' | 'big' | 'bytes'> {
  return {
    id: Number(id),
    writer: String(writer),
    big: BigInt(big as string | number | bigint),
    bytes: bytes as Buffer,
  };
}

/** A date is the midnight of the connection's time zone, which is UTC. */
function utcDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function localDay(date: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
