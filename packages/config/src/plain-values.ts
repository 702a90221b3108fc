import { PlainScalar, UNRESOLVED } from '@dbmanager/core';
import { typePlainScalar } from './scalar-type.js';
import type { SourceEntry, SourceMapping, SourceNode, SourceRange, SourceScalar } from './source-node.js';
import { type SubstitutionSources, substitute } from './substitution.js';

/** Receives a problem of a value: where the value is, and where the problem stands. */
export type ReportValueProblem = (
  path: readonly (string | number)[],
  problem: { readonly rule: string; readonly message: string },
  range: SourceRange,
) => void;

/** What turning a tree into values needs. */
export interface PlainValueContext {
  readonly sources: SubstitutionSources;
  readonly report: ReportValueProblem;
  /** How a place is named in a message: `line 12`. */
  readonly describe: (range: SourceRange) => string;
}

/** Stands for a key that an empty substitution takes away, as if it were not written. */
const ABSENT = Symbol('absent');

/**
 * The values of a tree, as `resolveConfig` takes them: scalars after substitution and typing, mappings as objects
 * without a prototype. A node that aliases share is converted once and its value shared. What cannot be substituted is
 * reported and becomes `UNRESOLVED`; a key written twice is reported, and the first one counts.
 */
export function toPlainValues(
  root: SourceNode,
  path: readonly (string | number)[],
  context: PlainValueContext,
): unknown {
  return new Converter(context).convert(root, path);
}

class Converter {
  readonly #context: PlainValueContext;
  readonly #converted = new Map<SourceNode, unknown>();

  constructor(context: PlainValueContext) {
    this.#context = context;
  }

  convert(node: SourceNode, path: readonly (string | number)[]): unknown {
    if (node.kind === 'scalar') return this.#scalar(node, path);
    const known = this.#converted.get(node);
    if (known !== undefined) return known;
    const value =
      node.kind === 'mapping'
        ? this.#mapping(node, path)
        : node.items.map((item, index) => this.#item(item, [...path, index]));
    this.#converted.set(node, value);
    return value;
  }

  #item(node: SourceNode, path: readonly (string | number)[]): unknown {
    const value = this.convert(node, path);
    return value === ABSENT ? new PlainScalar(null, '') : value;
  }

  #mapping({ entries }: SourceMapping, path: readonly (string | number)[]): object {
    const values: Record<string, unknown> = Object.create(null);
    const written = new Map<string, SourceEntry>();
    for (const entry of entries) {
      const key = entry.key.text;
      const first = written.get(key);
      if (first !== undefined) {
        this.#reportTwice(entry, first, path);
        continue;
      }
      written.set(key, entry);
      const value = this.convert(entry.value, [...path, key]);
      if (value !== ABSENT) values[key] = value;
    }
    return values;
  }

  #reportTwice({ key }: SourceEntry, first: SourceEntry, path: readonly (string | number)[]): void {
    const { report, describe } = this.#context;
    const message = `is written twice; the first is in ${describe(first.key)}`;
    report([...path, key.text], { rule: 'duplicate-key', message }, key);
  }

  #scalar({ text, plain, refused, start, end }: SourceScalar, path: readonly (string | number)[]): unknown {
    if (refused) return UNRESOLVED;
    if (!text.includes('$')) return plain ? typePlainScalar(text) : text;
    const result = substitute(text, this.#context.sources);
    if (!('text' in result)) {
      this.#context.report(path, result, { start, end });
      return UNRESOLVED;
    }
    if (!plain) return result.text;
    return result.text === '' ? ABSENT : typePlainScalar(result.text);
  }
}
