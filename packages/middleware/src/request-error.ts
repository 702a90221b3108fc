import { DbManagerError, type DbManagerErrorOptions, type ErrorCode, isDbManagerError } from '@dbmanager/core';

/** What nginx logs for a client that hung up; nobody is ever sent it. */
export const CLIENT_CLOSED_REQUEST = 499;

/**
 * An error of dbmanager that says what the client is to be answered, in the shape of the package http-errors: Express, Fastify, Koa
 * and Nest all go by it.
 */
export class RequestError extends DbManagerError {
  readonly status: number;

  constructor(code: ErrorCode, status: number, message: string, options?: DbManagerErrorOptions) {
    super(code, message, options);
    this.status = status;
  }

  /** The same for Fastify and Nest. */
  get statusCode(): number {
    return this.status;
  }

  /** Whether the client may be shown the message, as Koa asks. */
  get expose(): boolean {
    return this.status < 500;
  }
}

/** The status for an error where no framework is left to choose one: 503 for what may succeed when asked again, else 500. */
export function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  if (!isDbManagerError(error)) return 500;
  return error.retryable || error.code === 'DBM_TRANSACTION_TIMEOUT' ? 503 : 500;
}

/** What the client is told of an error: its code, and no message of a database. */
export function publicCodeOf(error: unknown): string {
  return isDbManagerError(error) ? error.code : 'internal';
}
