import {
  DbManagerError,
  type DbManagerErrorOptions,
  type ErrorCode,
  type ErrorVerdict,
  type TransactionConflict,
} from '@dbmanager/core';
import { codeOf, isError } from './driver-errors.js';
import { placeText, type ServerPlace } from './server-place.js';

/** Where a connect was going, for its error. */
export interface ConnectPlace extends ServerPlace {
  readonly connectionName: string;
}

/** Why a connect failed. */
export interface ConnectVerdict {
  readonly code: ErrorCode;
  /** The option to correct. */
  readonly option?: string;
  /** Left out: as the code has it. */
  readonly retryable?: boolean;
}

/** What a server names of a constraint that was violated. */
export type Violation = Pick<DbManagerErrorOptions, 'constraint' | 'table' | 'column'>;

/** What a statement that failed says. */
export interface StatementVerdict extends Violation {
  /** Left out: that of the conflict, or `DBM_QUERY_FAILED`. */
  readonly code?: ErrorCode;
  /** Left out: true for a conflict alone. */
  readonly retryable?: boolean;
  /** What to correct, where it is not the statement. */
  readonly option?: string;
}

/** How the errors of one driver and its server are read. */
export interface ErrorDialect {
  /** The connection is gone. */
  isConnectionLost(error: unknown): boolean;
  /** The statement failed, and the server closes the connection for it. Left out: it never does. */
  endsConnection?(error: unknown): boolean;
  /** The server has become read-only: it is no primary any more. */
  isReadOnlyServer(error: unknown): boolean;
  /** Whether a transaction lost to another one; of an error of ours by its cause. */
  conflictOf(error: unknown): TransactionConflict | undefined;
  classifyConnect(error: unknown): ConnectVerdict;
  /** Of an error that is not that of a lost connection. */
  classifyStatement(error: unknown): StatementVerdict;
  /** The text to show: none that may hold a value of the caller. */
  describe(error: Error): string;
}

/** Errors of ours for those of a driver. */
export interface ServerErrors {
  /** What an error given at release says about the connection. */
  judge(error: unknown): ErrorVerdict;
  /** The error of a connect that failed. */
  connectError(error: unknown, place: ConnectPlace): DbManagerError;
  /** The error for a connection that died, in use or idle. */
  lostError(error: unknown, connectionName: string): DbManagerError;
  /** The error of a statement that failed. Those of ours pass through. */
  statementError(error: unknown, connectionName: string): DbManagerError;
}

const CONFLICT_CODES: Readonly<Record<TransactionConflict, ErrorCode>> = {
  serialization_failure: 'DBM_SERIALIZATION_FAILURE',
  deadlock: 'DBM_DEADLOCK',
};

/** Makes errors of ours out of those of a driver. */
export function serverErrors(dialect: ErrorDialect): ServerErrors {
  const judge = (error: unknown): ErrorVerdict => {
    if (error instanceof DbManagerError) {
      if (error.code === 'DBM_CONNECTION_LOST' || error.code === 'DBM_COMMIT_UNKNOWN') return 'fatal';
      return error.cause === undefined ? 'harmless' : judge(error.cause);
    }
    if (dialect.isReadOnlyServer(error)) return 'failover';
    return dialect.isConnectionLost(error) || dialect.endsConnection?.(error) ? 'fatal' : 'harmless';
  };

  const lostError = (error: unknown, connectionName: string) =>
    new DbManagerError('DBM_CONNECTION_LOST', `the connection was lost: ${describe(dialect, error)}`, {
      cause: error,
      connectionName,
    });

  return {
    judge,
    lostError,

    connectError(error, { connectionName, ...place }) {
      const { code, option, retryable } = dialect.classifyConnect(error);
      const reason = isError(error) && error.message !== '' ? error.message : codeOf(error);
      return new DbManagerError(code, `cannot connect to ${placeText(place)}: ${reason}`, {
        cause: error,
        connectionName,
        option,
        retryable,
      });
    },

    statementError(error, connectionName) {
      if (error instanceof DbManagerError) return error;
      if (dialect.isConnectionLost(error)) return lostError(error, connectionName);
      const conflict = dialect.conflictOf(error);
      const ofConflict = conflict && CONFLICT_CODES[conflict];
      const {
        code = ofConflict ?? 'DBM_QUERY_FAILED',
        retryable = conflict !== undefined,
        ...violation
      } = dialect.classifyStatement(error);
      return new DbManagerError(code, `the statement failed: ${describe(dialect, error)}`, {
        cause: error,
        connectionName,
        retryable,
        ...violation,
      });
    },
  };
}

function describe(dialect: ErrorDialect, error: unknown): string {
  return isError(error) ? dialect.describe(error) : String(error);
}
