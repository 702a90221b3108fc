import { types } from 'node:util';
import type { Row, StatementResult } from '@dbmanager/core';
import { isPlainDate, isPlainObject } from './plain-object.js';

/** What an object costs besides what it holds, and each thing in it; reckoned after V8. */
const OBJECT_BYTES = 32;
const SLOT_BYTES = 8;
/** Values in values that are looked into; deeper ones are taken for endless. */
const DEEPEST = 100;

/** A result that shares nothing with another that could be changed. */
export interface ResultCopy {
  readonly result: StatementResult;
  /** About what it takes of memory. */
  readonly bytes: number;
}

/** Copies a result; undefined when a value in it is of a class whose copy would not be the same: what a type parser of one's own made. */
export function copyResult({ rows, rowsAffected, lastInsertId }: StatementResult): ResultCopy | undefined {
  const copier = new Copier();
  const copies = copier.copy(rows, 0) as readonly Row[];
  return copier.failed ? undefined : { result: { rows: copies, rowsAffected, lastInsertId }, bytes: copier.bytes };
}

class Copier {
  bytes = OBJECT_BYTES;
  failed = false;

  copy(value: unknown, depth: number): unknown {
    this.bytes += SLOT_BYTES;
    if (typeof value === 'string') this.bytes += 2 * value.length;
    if (typeof value === 'function' || typeof value === 'symbol') this.failed = true;
    return typeof value === 'object' && value !== null ? this.#object(value, depth) : value;
  }

  #object(value: object, depth: number): unknown {
    this.bytes += OBJECT_BYTES;
    if (depth === DEEPEST) {
      this.failed = true;
      return value;
    }
    if (Array.isArray(value)) return value.map((each) => this.copy(each, depth + 1));
    if (Buffer.isBuffer(value)) return Buffer.from(this.#sized(value));
    if (types.isUint8Array(value)) return new Uint8Array(this.#sized(value));
    if (types.isDate(value) && isPlainDate(value)) return new Date(value.getTime());
    if (isPlainObject(value)) return this.#record(value, depth);
    this.failed = true;
    return value;
  }

  #sized<T extends Uint8Array>(bytes: T): T {
    this.bytes += bytes.length;
    return bytes;
  }

  #record(value: object, depth: number): object {
    const copy: Record<string, unknown> = Object.getPrototypeOf(value) === null ? Object.create(null) : {};
    for (const [key, each] of Object.entries(value)) {
      const copied = this.copy(each, depth + 1);
      // A column of that name is just a column.
      if (key === '__proto__') Object.defineProperty(copy, key, { ...DATA, value: copied });
      else copy[key] = copied;
    }
    return copy;
  }
}

const DATA = { configurable: true, enumerable: true, writable: true };
