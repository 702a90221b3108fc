/** A name as SQLite quotes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQLite quotes it. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The name that a table of a schema has in SQLite, which has no schemas. */
export function tableName(schema: string, table: string): string {
  return schema.toLowerCase() === 'dbo' ? table : `${schema.toLowerCase()}.${table}`;
}
