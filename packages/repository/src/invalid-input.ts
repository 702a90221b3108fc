import { DbManagerError } from '@dbmanager/core';

/** The longest part of a caller's text that an error shows. */
const SHOWN = 60;

/**
 * The error for what a repository was given and cannot be meant; code `DBM_INVALID_INPUT`.
 *
 * @param path where it stands in what was given: `filter.email.gt`
 * @param column the declared column that it is about
 */
export function invalidInput(connectionName: string, path: string, reason: string, column?: string): DbManagerError {
  const option = shortened(path);
  return new DbManagerError('DBM_INVALID_INPUT', `${option}: ${reason}`, { connectionName, option, column });
}

/** A name that somebody gave, for a message: whatever is in it, it stays one short line. */
export function shownName(name: string): string {
  return JSON.stringify(shortened(name));
}

/** What a value is, without showing it. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : 'a date';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'number') return Number.isFinite(value) ? 'a number' : 'a number that is not finite';
  return typeof value === 'object' ? 'an object' : typeof value;
}

function shortened(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
