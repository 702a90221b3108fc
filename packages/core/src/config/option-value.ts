import { resolve } from 'node:path';
import { parseDuration } from '../duration.js';
import type { OptionSpec } from '../option-table.js';
import { Secret } from '../secret.js';
import { suggestion } from './nearest.js';
import { PlainScalar } from './plain-scalar.js';

/** Why a value was refused. Never holds a secret. */
export interface Refusal {
  readonly rule: 'wrong-type' | 'out-of-range' | 'not-allowed' | 'malformed';
  readonly message: string;
  /** Where inside the value, for lists and maps. */
  readonly path?: readonly (string | number)[];
}

/** A value as the options hold it, or why it was refused. */
export type ReadResult = { readonly value: unknown } | { readonly refusal: Refusal };

type Spec<K extends OptionSpec['kind']> = Extract<OptionSpec, { kind: K }>;
type Reader<K extends OptionSpec['kind']> = (input: unknown, spec: Spec<K>, baseDir: string) => ReadResult;

/** Turns the written value of a key into the value the resolved options hold. Paths are resolved against `baseDir`. */
export function readOption(input: unknown, spec: OptionSpec, baseDir: string): ReadResult {
  return (READERS[spec.kind] as Reader<OptionSpec['kind']>)(input, spec, baseDir);
}

/** The default of a key as the options hold it; undefined when it has none. */
export function defaultOf(spec: OptionSpec, baseDir: string): unknown {
  if (!('default' in spec) || spec.default === undefined) return undefined;
  const result = readOption(spec.default, spec, baseDir);
  if ('refusal' in result) throw new TypeError(`bad default in an option table: ${result.refusal.message}`);
  return result.value;
}

/** A written value for a message: short, on one line. Only for values that are no secrets. */
export function show(input: unknown): string {
  if (input instanceof PlainScalar) return input.value === null ? 'nothing' : input.text;
  if (input instanceof Secret) return 'a secret';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object' && input !== null) return 'a mapping';
  if (typeof input !== 'string') return String(input);
  // credentials that ended up under the wrong key
  if (/:\/\/[^/\s]*@/.test(input)) return 'a URL';
  return JSON.stringify(input.length > 60 ? `${input.slice(0, 60)}…` : input);
}

const READERS: { readonly [K in OptionSpec['kind']]: Reader<K> } = {
  string: (input) => readText(input, 'text'),
  path: (input, { literals }, baseDir) => {
    const text = textOf(input);
    if (text === undefined) return wrongType('a path', input);
    if (text === '' || text.includes('\0')) return refuse('malformed', `must be a path, not ${show(text)}`);
    return { value: literals?.includes(text) ? text : resolve(baseDir, text) };
  },
  boolean: (input) => {
    const value = scalarOf(input);
    if (typeof value === 'boolean') return { value };
    return refuse('wrong-type', `must be true or false, not ${show(input)}`);
  },
  integer: (input, { min, max }) => {
    const value = scalarOf(input);
    if (typeof value === 'string' && /^-?\d+$/.test(value)) {
      return refuse('wrong-type', `must be a whole number, not text; write ${value} without quotes`);
    }
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
      return refuse('wrong-type', `must be a whole number, not ${show(input)}`);
    }
    if (min !== undefined && value < min) return refuse('out-of-range', `must be at least ${min}, not ${value}`);
    if (max !== undefined && value > max) return refuse('out-of-range', `must be at most ${max}, not ${value}`);
    return { value };
  },
  duration: (input, spec) => {
    const value = scalarOf(input);
    if (typeof value === 'number' && value !== 0) return numberForDuration(value);
    if (typeof value !== 'string' && value !== 0) return wrongType('a duration such as 500ms, 30s or 1m30s', input);
    const ms = parseDuration(String(value));
    return ms === undefined ? malformedDuration(String(value)) : durationInRange(ms, String(value), spec);
  },
  enum: (input, { values }) => {
    const text = textOf(input);
    if (text !== undefined && values.includes(text)) return { value: text };
    const hint = text === undefined ? '' : suggestion(text, values);
    return refuse('not-allowed', `must be one of ${values.join(', ')}, not ${show(input)}${hint}`);
  },
  secret: readSecret,
  'secret-string': readSecret,
  'string-list': (input) => {
    if (!Array.isArray(input)) return wrongType('a list of texts', input);
    const texts: string[] = [];
    for (const [index, item] of input.entries()) {
      const text = textOf(item);
      if (text === undefined) return wrongType('text', item, [index]);
      texts.push(text);
    }
    return { value: Object.freeze(texts) };
  },
  'string-map': (input) => {
    if (!isMapping(input)) return wrongType('a mapping of texts', input);
    const texts: [string, string][] = [];
    for (const [key, item] of Object.entries(input)) {
      const text = textOf(item);
      if (text === undefined) return wrongType('text', item, [key]);
      texts.push([key, text]);
    }
    // fromEntries defines properties, so that a key `__proto__` is just a key
    return { value: Object.freeze(Object.fromEntries(texts)) };
  },
};

/** True for an object of keys, as opposed to a list, a scalar or a secret. */
export function isMapping(input: unknown): input is Readonly<Record<string, unknown>> {
  return (
    typeof input === 'object' &&
    input !== null &&
    !Array.isArray(input) &&
    !(input instanceof Secret) &&
    !(input instanceof PlainScalar)
  );
}

/** The text of a scalar that was written as text, or that a text source wrote as a number or boolean. */
export function textOf(input: unknown): string | undefined {
  if (typeof input === 'string') return input;
  return input instanceof PlainScalar && input.value !== null ? input.text : undefined;
}

function scalarOf(input: unknown): unknown {
  return input instanceof PlainScalar ? input.value : input;
}

function readText(input: unknown, what: string): ReadResult {
  const value = textOf(input);
  return value === undefined ? wrongType(what, input) : { value };
}

function readSecret(input: unknown): ReadResult {
  if (input instanceof Secret) return { value: input };
  const text = textOf(input);
  if (text !== undefined) return { value: new Secret(text) };
  // a number here may well be the secret, so the value is left out
  return refuse('wrong-type', 'must be text; put it in quotes');
}

function numberForDuration(value: number): ReadResult {
  if (value < 0) return refuse('out-of-range', `must not be negative, not ${value}`);
  return refuse('malformed', `${value} has no unit; write ${value}s`);
}

function malformedDuration(text: string): ReadResult {
  if (/^\s*-/.test(text)) return refuse('out-of-range', `must not be negative, not ${show(text)}`);
  if (/^\d+(\.\d+)?$/.test(text)) return refuse('malformed', `${text} has no unit; write ${text}s`);
  return refuse('malformed', `${show(text)} is no duration; write one such as 500ms, 30s or 1m30s`);
}

function durationInRange(ms: number, text: string, { min, max, zero }: Spec<'duration'>): ReadResult {
  if (ms === 0 && zero !== undefined) return { value: 0 };
  const orZero = zero === undefined ? '' : ` (or 0: ${zero})`;
  if (min !== undefined && ms < milliseconds(min)) {
    return refuse('out-of-range', `must be at least ${min}${orZero}, not ${text}`);
  }
  if (max !== undefined && ms > milliseconds(max)) return refuse('out-of-range', `must be at most ${max}, not ${text}`);
  return { value: ms };
}

function milliseconds(bound: string): number {
  const ms = parseDuration(bound);
  if (ms === undefined) throw new TypeError(`bad bound in an option table: ${bound}`);
  return ms;
}

function wrongType(wanted: string, input: unknown, path?: readonly (string | number)[]): ReadResult {
  const written = scalarOf(input);
  const message =
    written === null || written === undefined
      ? `has no value; write ${wanted}, or leave the key out`
      : `must be ${wanted}, not ${show(input)}${typeof written === 'number' && wanted === 'text' ? '; put it in quotes' : ''}`;
  return { refusal: path === undefined ? { rule: 'wrong-type', message } : { rule: 'wrong-type', message, path } };
}

function refuse(rule: Refusal['rule'], message: string): ReadResult {
  return { refusal: { rule, message } };
}
