import { splitStatements } from '@dbmanager/database';
import type { Connection } from 'dbmanager';
import { invalid } from './checks.js';

/** What a test database has in it before the tests: statements, a folder of migrations, or what a function does. */
export type TestSchema = string | { readonly migrations: string } | ((connection: Connection) => unknown);

/** Makes the schema on an open connection. Rejects with the first failure. */
export async function applySchema(connection: Connection, schema: TestSchema): Promise<void> {
  if (typeof schema === 'function') {
    await schema(connection);
  } else if (typeof schema === 'string') {
    const db = connection.database();
    for (const { sql } of splitStatements(schema, connection.dialect?.lexis ?? {})) await db.execute(sql);
  } else if (typeof (schema as typeof schema | null)?.migrations !== 'string') {
    throw invalid(
      'schema',
      'schema must be SQL, { migrations: folder } or a function of the connection',
      connection.name,
    );
  } else {
    await connection.migrations({ path: schema.migrations }).up();
  }
}
