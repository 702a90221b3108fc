import { PlainScalar, UNRESOLVED } from '@dbmanager/core';
import { typePlainScalar } from './scalar-type.js';
import {
  entryOf,
  type SourceEntry,
  type SourceMapping,
  type SourceNode,
  type SourceRange,
  type SourceScalar,
} from './source-node.js';
import { type SubstitutionSources, substitute } from './substitution.js';

type Path = readonly (string | number)[];

/** Receives a problem of a value: where the value is, and where the problem stands. */
export type ReportValueProblem = (
  path: Path,
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
 * The values of a tree, as `resolveConfig` takes them: scalars after substitution and typing, mappings as
 * objects. A node that aliases share is converted once and its value shared. What cannot be substituted is
 * reported and becomes `UNRESOLVED`; a key written twice is reported, and the first one counts.
 */
export function toPlainValues(root: SourceNode, path: Path, context: PlainValueContext): unknown {
  return new Converter(context).convert(root, path);
}

class Converter {
  readonly #context: PlainValueContext;
  readonly #converted = new Map<SourceNode, unknown>();

  constructor(context: PlainValueContext) {
    this.#context = context;
  }

  /** The value of what stands under `key` at `path`. The two are parted because most scalars need no path of their own. */
  convert(node: SourceNode, path: Path, ...key: Path): unknown {
    if (node.kind === 'scalar') return this.#scalar(node, path, key);
    const known = this.#converted.get(node);
    if (known !== undefined) return known;
    const inner = [...path, ...key];
    const value =
      node.kind === 'mapping'
        ? this.#mapping(node, inner)
        : node.items.map((item, index) => this.#item(item, inner, index));
    this.#converted.set(node, value);
    return value;
  }

  #item(node: SourceNode, path: Path, index: number): unknown {
    const value = this.convert(node, path, index);
    return value === ABSENT ? new PlainScalar(null, '') : value;
  }

  #mapping(mapping: SourceMapping, path: Path): object {
    const values: Record<string, unknown> = {};
    const absent = new Set<string>();
    for (const entry of mapping.entries) {
      const key = entry.key.text;
      if (Object.hasOwn(values, key) || absent.has(key)) {
        this.#reportTwice(entry, mapping, path);
        continue;
      }
      const value = this.convert(entry.value, path, key);
      if (value === ABSENT) absent.add(key);
      else if (key === '__proto__') Object.defineProperty(values, key, { value, enumerable: true });
      else values[key] = value;
    }
    return values;
  }

  #reportTwice({ key }: SourceEntry, mapping: SourceMapping, path: Path): void {
    const { report, describe } = this.#context;
    const first = entryOf(mapping, key.text);
    const message = `is written twice; the first is in ${describe(first?.key ?? key)}`;
    report([...path, key.text], { rule: 'duplicate-key', message }, key);
  }

  #scalar({ text, plain, refused, start, end }: SourceScalar, path: Path, key: Path): unknown {
    if (refused) return UNRESOLVED;
    if (!text.includes('$')) return plain ? typePlainScalar(text) : text;
    const result = substitute(text, this.#context.sources);
    if (!('text' in result)) {
      this.#context.report([...path, ...key], result, { start, end });
      return UNRESOLVED;
    }
    if (!plain) return result.text;
    return result.text === '' ? ABSENT : typePlainScalar(result.text);
  }
}
