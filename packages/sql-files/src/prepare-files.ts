import { abortedError, type BridgeTarget, isDbManagerError, type Lease, NotSqlDatabaseError } from '@dbmanager/core';
import { rewriteNames } from '@dbmanager/database';
import type { SqlFile } from './sql-file.js';

/** By name: whether the database has read the statement, or what it found wrong with it. */
export async function prepareFiles(
  files: readonly SqlFile[],
  target: BridgeTarget,
  signal?: AbortSignal,
): Promise<Map<string, boolean | Error>> {
  const lease = await target.acquire({ signal, lane: 'write' });
  try {
    const verdicts = new Map<string, boolean | Error>();
    for (const { name, sql } of files) {
      if (signal?.aborted) throw abortedError(signal, target.name);
      verdicts.set(name, await prepared(sql, lease, target));
    }
    lease.release();
    return verdicts;
  } catch (error) {
    lease.release(error);
    throw error;
  }
}

async function prepared(text: string, lease: Lease<unknown>, target: BridgeTarget): Promise<boolean | Error> {
  const { sql } = target.engine;
  if (sql === undefined) throw new NotSqlDatabaseError(target.name, 'a statement');
  const { lexis = {}, placeholders } = sql;
  try {
    const written = rewriteNames(text, lexis, placeholders).sql;
    return (await sql.check?.(lease.connection, written, target.name)) ?? false;
  } catch (error) {
    if (isDbManagerError(error, 'DBM_CONNECTION_LOST')) throw error;
    return error as Error;
  }
}
