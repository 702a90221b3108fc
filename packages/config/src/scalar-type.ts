import { PlainScalar } from '@dbmanager/core';

const NULL = /^(?:~|null|Null|NULL)?$/;
const BOOLEAN = /^(?:true|True|TRUE|false|False|FALSE)$/;
const DECIMAL = /^[-+]?[0-9]+$/;
const OTHER_INTEGER = /^0(?:o[0-7]+|x[0-9a-fA-F]+)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INFINITE = /^[-+]?\.(?:inf|Inf|INF)$/;
const NOT_A_NUMBER = /^\.(?:nan|NaN|NAN)$/;
/** What any of the above may begin with; nearly every text is told apart by this alone. */
const TYPED_START = /^[-+.0-9~nNtTfF]|^$/;

/**
 * The value of an unquoted scalar by the core schema of YAML 1.2 (section 10.3.2). Whatever is not text keeps the text
 * it was written as.
 */
export function typePlainScalar(text: string): string | PlainScalar {
  if (!TYPED_START.test(text)) return text;
  if (NULL.test(text)) return new PlainScalar(null, text);
  if (BOOLEAN.test(text)) return new PlainScalar(text.toLowerCase() === 'true', text);
  if (DECIMAL.test(text) || OTHER_INTEGER.test(text) || FLOAT.test(text)) return new PlainScalar(Number(text), text);
  if (INFINITE.test(text)) return new PlainScalar(text.startsWith('-') ? -Infinity : Infinity, text);
  if (NOT_A_NUMBER.test(text)) return new PlainScalar(Number.NaN, text);
  return text;
}
