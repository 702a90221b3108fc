import { DbManagerError, isMapping } from '@dbmanager/core';
import type { StoreContext } from './store-context.js';
import { MAX_KEY_LENGTH } from './store-tables.js';

/** How large a text may be. */
export interface SizeLimit {
  /** In UTF-8. */
  readonly maxBytes: number;
  /** The option that says so. */
  readonly limit: string;
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What is to be saved. Throws `DBM_INVALID_OPTION` for what is no object: nothing was given, or a list. */
export function inputOf<T extends object>(context: StoreContext, what: string, value: T): T {
  if (isMapping(value)) return value;
  throw context.invalid(what, `what is to be saved, a ${what}, must be an object`);
}

/**
 * A text to look rows up by, as every engine tells it from others: not empty, no longer than its column, without U+0000 and half
 * characters, which PostgreSQL refuses or replaces, and not ending in a space, which SQL Server and MySQL do not count.
 * Throws `DBM_INVALID_OPTION` for another.
 */
export function keyOf(context: StoreContext, option: string, value: unknown, length = MAX_KEY_LENGTH): string {
  if (isKey(value, length)) return value;
  throw context.invalid(
    option,
    `${option} must be a text of 1 to ${length} characters, without U+0000 and without a space at its end`,
  );
}

/** As {@link keyOf}; NULL when there is none. */
export function optionalKeyOf(context: StoreContext, option: string, value: unknown): string | null {
  return value === undefined || value === null ? null : keyOf(context, option, value);
}

/** True for what {@link keyOf} takes. */
export function isKey(value: unknown, length = MAX_KEY_LENGTH): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > length) return false;
  return value.isWellFormed() && !value.includes('\0') && !value.endsWith(' ');
}

/** Any text that every engine stores. Throws `DBM_INVALID_OPTION` for what is none. */
export function textOf(context: StoreContext, option: string, value: unknown): string {
  if (typeof value === 'string' && value.isWellFormed() && !value.includes('\0')) return value;
  throw context.invalid(option, `${option} must be a text without U+0000`);
}

/** As {@link textOf}; NULL when there is none. */
export function optionalTextOf(context: StoreContext, option: string, value: unknown): string | null {
  return value === undefined || value === null ? null : textOf(context, option, value);
}

/** A moment as it is stored. Throws `DBM_INVALID_OPTION` for what is no date. */
export function timeOf(context: StoreContext, option: string, value: unknown): number {
  const time = value instanceof Date ? value.getTime() : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw context.invalid(option, `${option} must be a valid Date`);
}

/** A whole number as it is stored. Throws `DBM_INVALID_OPTION` for one that numbers cannot hold exactly, or below 0. */
export function wholeOf(context: StoreContext, option: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw context.invalid(option, `${option} must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

/**
 * A JSON object as it is stored. Throws `DBM_INVALID_OPTION` for what is none, `DBM_TOO_LARGE` when its text has more bytes
 * than it may.
 */
export function jsonOf(context: StoreContext, option: string, value: unknown, size?: SizeLimit): string {
  if (!isMapping(value)) throw notJson(context, option);
  const json = jsonText(context, option, value);
  const bytes = size === undefined ? 0 : Buffer.byteLength(json);
  if (size === undefined || bytes <= size.maxBytes) return json;
  throw new DbManagerError(
    'DBM_TOO_LARGE',
    `${option} has ${bytes} bytes of JSON, more than the ${size.maxBytes} that ${size.limit} allows`,
    { connectionName: context.connectionName, option: size.limit },
  );
}

function jsonText(context: StoreContext, option: string, value: object): string {
  try {
    const json: string | undefined = JSON.stringify(value);
    // A `toJSON` may give anything.
    if (json?.startsWith('{')) return json;
  } catch {
    // A circle, or a bigint: the error's text may quote what it holds.
  }
  throw notJson(context, option);
}

function notJson(context: StoreContext, option: string): DbManagerError {
  return context.invalid(option, `${option} must be an object of values that JSON has`);
}

/** What was stored as JSON. */
export function parsedJson<T>(value: unknown): T {
  return JSON.parse(String(value)) as T;
}

/** What was stored as a moment. */
export function dateOf(value: unknown): Date {
  return new Date(Number(value));
}

/** What was stored as a flag. */
export function flagOf(value: unknown): boolean {
  return value === true || Number(value) === 1;
}

/** What was stored as an optional text. */
export function textIn(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
