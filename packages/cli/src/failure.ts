import { formatProblems } from '@dbmanager/config';
import { ConfigError, type DbManagerError, ERROR_CODES, type ErrorCode, StartupError } from '@dbmanager/core';

/** How the command ends. */
export const EXIT = {
  ok: 0,
  /** A database or the machine failed it. */
  failed: 1,
  /** The command line or the file is wrong. */
  usage: 2,
} as const;

const USAGE_CODES: readonly ErrorCode[] = [
  'DBM_CONFIG_INVALID',
  'DBM_CONFIG_UNREADABLE',
  'DBM_INVALID_OPTION',
  'DBM_NO_DEFAULT_CONNECTION',
  'DBM_UNKNOWN_CONNECTION',
];

/** The exit code for an error of dbmanager. */
export function exitCodeOf({ code }: DbManagerError): number {
  return USAGE_CODES.includes(code) ? EXIT.usage : EXIT.failed;
}

/** An error of dbmanager for people: what is wrong and what to change. Ends with a newline. */
export function describeFailure(error: DbManagerError): string {
  if (error instanceof ConfigError) return formatProblems(error.problems, 'text');
  const failures = error instanceof StartupError ? error.errors : [error];
  const lines = failures.map((failure) => `error: ${failure.message}\n`);
  return `${lines.join('')}${error.code}: ${ERROR_CODES[error.code].remedy}\n`;
}
