import { types } from 'node:util';
import type { Statement } from '@dbmanager/core';
import { isPlainObject } from './plain-object.js';

/** Values in values that are looked into; deeper ones are taken for endless. */
const DEEPEST = 20;

/**
 * What tells a statement with its values from every other: 1, '1', 1n, true and null are five. Undefined when a value cannot be told
 * from others of its class.
 */
export function statementKey({ sql, params = [] }: Statement): string | undefined {
  let key = sized(sql);
  for (const param of params) {
    const part = valueKey(param, 0);
    if (part === undefined) return undefined;
    key += part;
  }
  return key;
}

function valueKey(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return `s${sized(value)}`;
    case 'number':
      return Object.is(value, -0) ? 'n-0;' : `n${value};`;
    case 'bigint':
      return `i${value};`;
    case 'boolean':
      return value ? 't' : 'f';
    case 'undefined':
      return 'u';
    case 'object':
      return value === null ? '0' : objectKey(value, depth);
    default:
      return undefined;
  }
}

function objectKey(value: object, depth: number): string | undefined {
  if (depth === DEEPEST) return undefined;
  if (types.isDate(value)) return `d${value.getTime()};`;
  if (types.isUint8Array(value))
    return `x${sized(Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64'))}`;
  if (Array.isArray(value)) return listKey('a', value, depth);
  if (!isPlainObject(value)) return undefined;
  return listKey('o', Object.entries(value).flat(), depth);
}

function listKey(kind: string, values: readonly unknown[], depth: number): string | undefined {
  let key = `${kind}${values.length};`;
  for (const each of values) {
    const part = valueKey(each, depth + 1);
    if (part === undefined) return undefined;
    key += part;
  }
  return key;
}

/** With its length before it, so that no text can pretend to be two. */
function sized(text: string): string {
  return `${text.length}:${text}`;
}
