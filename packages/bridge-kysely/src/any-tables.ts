/** What a handle of Kysely knows of tables that nobody has described: any names, and values of which nothing is known. */
export type AnyTables = Record<string, Record<string, unknown>>;
