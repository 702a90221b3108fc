import { endOfQuoted, isWord } from '@dbmanager/core';
import { numberOf, statementError } from './errors.js';
import { promisedJob, requestJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import { MSSQL_LEXIS } from './mssql-lexis.js';
import type { TediousDriver } from './tedious-driver.js';

/** The statement is good as far as the server can say, but it cannot tell of what type its parameters would be. */
const UNDEDUCED = [11_502, 11_530] as const;
const PARAMETER = /@p\d+/iy;

/**
 * Has the server compile a statement without running it: its syntax and the names in it (`sp_describe_undeclared_parameters`, SQL
 * Server 2012 and newer). False for one of whose parameters it can deduce nothing.
 */
export async function describeOnly(
  driver: TediousDriver,
  connection: MssqlConnection,
  sql: string,
  connectionName: string,
): Promise<boolean> {
  const request = new driver.Request('sp_describe_undeclared_parameters', () => {});
  request.addParameter('tsql', driver.TYPES.NVarChar, distinct(sql));
  // No query of a user.
  const job = { ...requestJob('callProcedure', request, undefined, { timeoutMs: 0 }), query: undefined };
  try {
    return await promisedJob(
      job,
      (complete) => connection.submit(complete),
      () => true,
    );
  } catch (error) {
    const number = numberOf(error);
    if (number >= UNDEDUCED[0] && number <= UNDEDUCED[1]) return false;
    throw statementError(error, connectionName);
  }
}

/** The procedure takes a parameter once: `@p1 = a or @p1 = b` becomes `@p1 = a or @p1_2 = b`. */
function distinct(sql: string): string {
  const uses = new Map<string, number>();
  let written = '';
  for (let at = 0; at < sql.length; ) {
    PARAMETER.lastIndex = at;
    const [name] = isPart(sql[at - 1]) ? [] : (PARAMETER.exec(sql) ?? []);
    if (name === undefined || isPart(sql[at + name.length])) {
      const end = endOfQuoted(sql, at, MSSQL_LEXIS) ?? at + 1;
      written += sql.slice(at, end);
      at = end;
      continue;
    }
    const use = (uses.get(name) ?? 0) + 1;
    uses.set(name, use);
    written += use === 1 ? name : `${name}_${use}`;
    at += name.length;
  }
  return written;
}

function isPart(char: string | undefined): boolean {
  return isWord(char) || char === '@' || char === '#';
}
