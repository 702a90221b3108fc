import { resolve } from 'node:path';
import { errorCode, withoutFinalNewline } from '@dbmanager/core';

/** Where substituted values come from. */
export interface SubstitutionSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gives a file's text, or throws. */
  readonly readFile: (path: string) => string;
  /** What relative paths of files are resolved against. */
  readonly baseDir: string;
}

/** The text with every reference replaced, or why that is impossible. Messages name variables and files, never values. */
export type Substituted = { readonly text: string } | SubstitutionFailure;

/** Why a reference could not be replaced. */
export interface SubstitutionFailure {
  readonly rule: 'malformed-substitution' | 'unset-variable' | 'unreadable-file';
  readonly message: string;
}

const REFERENCE = /\$\$|\$\{([^}]*)(\}?)/g;
const VARIABLE = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?$/s;
const MALFORMED: SubstitutionFailure = {
  rule: 'malformed-substitution',
  message: `malformed substitution; write \${VAR}, \${VAR:-default}, \${VAR:?message} or \${file:/path}, and $$ for a dollar sign`,
};

/**
 * Replaces `${VAR}`, `${env:VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${file:/path}` and `$$` in one scalar, as
 * OpenTelemetry's configuration data model has it, but for one thing: a variable that is unset, or empty, and has no
 * default is a failure. What is put in is not looked at again. A `$` before anything else is itself.
 */
export function substitute(text: string, sources: SubstitutionSources): Substituted {
  if (!text.includes('$')) return { text };
  let failure: SubstitutionFailure | undefined;
  const replaced = text.replace(REFERENCE, (match, reference?: string, brace?: string) => {
    if (match === '$$') return '$';
    const result = reference === undefined || brace === '' ? MALFORMED : resolveReference(reference, sources);
    if ('text' in result) return result.text;
    failure ??= result;
    return '';
  });
  return failure ?? { text: replaced };
}

function resolveReference(reference: string, sources: SubstitutionSources): Substituted {
  if (reference.startsWith('file:')) return fromFile(reference.slice('file:'.length), sources);
  const [, name, operator, operand = ''] = VARIABLE.exec(reference) ?? [];
  return name === undefined ? MALFORMED : fromVariable(name, operator, operand, sources);
}

function fromVariable(
  name: string,
  operator: string | undefined,
  operand: string,
  { env }: SubstitutionSources,
): Substituted {
  const value = env[name];
  if (value !== undefined && value !== '') return { text: value };
  if (operator === '-') return { text: operand };
  const fault = value === '' ? 'is empty' : 'is not set';
  const remedy = operator === '?' && operand !== '' ? operand : `set it, or write \${${name}:-default}`;
  return { rule: 'unset-variable', message: `the environment variable ${name} ${fault}; ${remedy}` };
}

function fromFile(path: string, { readFile, baseDir }: SubstitutionSources): Substituted {
  if (path === '') return MALFORMED;
  try {
    return { text: withoutFinalNewline(readFile(resolve(baseDir, path))) };
  } catch (error) {
    return { rule: 'unreadable-file', message: `cannot read the file ${JSON.stringify(path)}: ${errorCode(error)}` };
  }
}
