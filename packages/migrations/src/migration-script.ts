import {
  errorChain,
  isDbManagerError,
  type SqlEngine,
  type SqlLexis,
  type SqlMigrations,
  type SqlSession,
} from '@dbmanager/core';
import { type ScriptStatement, splitStatements, transactionControl } from '@dbmanager/database';
import type { MigrationScript, MigrationStep } from './migration.js';
import { splitBatches } from './split-batches.js';

/** A line of a file that says that it is not to run in a transaction. */
const NO_TRANSACTION = /^[ \t]*--[ \t]*dbmanager:[ \t]*no-transaction[ \t]*\r?$/m;

/** The statement that failed, where it is known. */
export class StatementFailure extends Error {
  readonly line: number;

  constructor(line: number, cause: unknown) {
    super('a statement failed', { cause });
    this.line = line;
  }
}

/** A script as one engine runs it. */
export interface PreparedScript {
  /** Whether it is one transaction. */
  readonly transaction: boolean;
  /** How many statements it has, or batches; undefined for code. */
  readonly statements: number | undefined;
  run(session: SqlSession, step: MigrationStep): Promise<void>;
}

/** What an engine makes of a script. */
export function prepareScript(script: MigrationScript, sql: SqlEngine<unknown>, engine: SqlMigrations): PreparedScript {
  if (script.kind === 'code') {
    const { run, transaction = engine.transactionalDdl } = script;
    return { transaction, statements: undefined, run: (_session, step) => run(step) };
  }
  const { lexis = {} } = sql;
  const statements = splitStatements(script.text, lexis);
  const sent = partsOf(script.text, statements, lexis, engine.scripts);
  return {
    transaction: fitsInTransaction(script.text, statements, lexis, engine),
    statements: engine.scripts === 'batches' ? sent.length : statements.length,
    run: (session, step) => runStatements(sent, session, step, engine),
  };
}

/** What is sent one after the other. */
function partsOf(
  text: string,
  statements: readonly ScriptStatement[],
  lexis: SqlLexis,
  scripts: SqlMigrations['scripts'],
): readonly ScriptStatement[] {
  if (scripts === 'batches') return splitBatches(text, lexis);
  return scripts === 'whole' && statements.length > 0 ? [{ sql: text, line: 1 }] : statements;
}

function fitsInTransaction(
  text: string,
  statements: readonly ScriptStatement[],
  lexis: SqlLexis,
  engine: SqlMigrations,
): boolean {
  if (NO_TRANSACTION.test(text) || transactionControl(text, lexis) !== undefined) return false;
  return !statements.some(({ sql }) => engine.outsideTransactions?.(sql) === true);
}

async function runStatements(
  statements: readonly ScriptStatement[],
  session: SqlSession,
  step: MigrationStep,
  engine: SqlMigrations,
): Promise<void> {
  for (const [index, statement] of statements.entries()) {
    const { sql } = statement;
    try {
      // A statement that changes a schema may take as long as it takes: `signal` ends it.
      await session.query({ sql }, { signal: step.signal, timeoutMs: 0 });
    } catch (error) {
      if (isDbManagerError(error, 'DBM_ABORTED')) throw error;
      throw new StatementFailure(lineOf(error, statement, engine), error);
    }
    await step.progress(index + 1, statements.length);
  }
}

/** The line of the file: that which the database names, else that on which the statement begins. */
function lineOf(error: unknown, { sql, line }: ScriptStatement, engine: SqlMigrations): number {
  for (const cause of errorChain(error)) {
    const named = engine.errorLine?.(cause, sql);
    if (named !== undefined) return line + named - 1;
  }
  return line;
}
