import type { StatementProfile } from '@dbmanager/core';

/** What `/statements` is read from: a manager. Reading it must ask no database. */
export interface StatementsSource {
  getAll(): ReadonlyMap<string, { slowestStatements(limit?: number): readonly StatementProfile[] }>;
}

/** The statements of every connection that took most time, in JSON: without literals or values. */
export interface StatementsReport {
  readonly connections: readonly {
    readonly name: string;
    /** The worst first. */
    readonly statements: readonly StatementProfile[];
  }[];
}

/** Statements that are shown of each connection. */
const SHOWN = 20;

/** Reports on every connection, in the order of the configuration. */
export function statementsReport(source: StatementsSource): StatementsReport {
  const connections = [...source.getAll()].map(([name, connection]) => ({
    name,
    statements: connection.slowestStatements(SHOWN),
  }));
  return { connections };
}
