/** A YAML document as this package needs it: what was written, and where. Offsets are UTF-16 code units of the text. */
export type SourceNode = SourceMapping | SourceSequence | SourceScalar;

/** Where a node stands in the text: `[start, end)`. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

/** A scalar before substitution and typing. */
export interface SourceScalar extends SourceRange {
  readonly kind: 'scalar';
  /** The text with escapes and folding undone. */
  readonly text: string;
  /** Written without quotes, so that it may be a number, a boolean or null. */
  readonly plain: boolean;
  /** Stands for something that was refused and reported; has no value. */
  readonly refused?: true;
}

/** A list. */
export interface SourceSequence extends SourceRange {
  readonly kind: 'sequence';
  readonly items: readonly SourceNode[];
}

/** Keys and values, in the order of the text; inherited ones last. */
export interface SourceMapping extends SourceRange {
  readonly kind: 'mapping';
  readonly entries: readonly SourceEntry[];
}

/** One key with its value. */
export interface SourceEntry {
  readonly key: SourceScalar;
  readonly value: SourceNode;
  /** Came through a merge key (`<<`), and stands somewhere else in the text. */
  readonly inherited?: true;
}

/** A problem found while reading the text, before there are values. */
export interface SourceProblem extends SourceRange {
  readonly rule: string;
  readonly message: string;
}

/** What reading a text gave: no root where the structure is in doubt, and then at least one problem. */
export interface SourceDocument {
  readonly root: SourceNode | undefined;
  readonly problems: readonly SourceProblem[];
}

/** What stands at a path, as far as the path leads. */
export interface Located {
  /** How many keys of the path exist. */
  readonly depth: number;
  /** The value where the path, or what exists of it, ends. */
  readonly node: SourceNode;
  /** Its key; undefined for the root and for items of lists. */
  readonly key: SourceScalar | undefined;
}

const indexes = new WeakMap<SourceMapping, ReadonlyMap<string, SourceEntry>>();

/** The entry of `mapping` under `key`, the first if there are several. The index behind it is built at the first call: most mappings are never asked. */
export function entryOf(mapping: SourceMapping, key: string): SourceEntry | undefined {
  let index = indexes.get(mapping);
  if (index === undefined) {
    index = new Map(mapping.entries.map((entry) => [entry.key.text, entry] as const).reverse());
    indexes.set(mapping, index);
  }
  return index.get(key);
}

/** Follows `path` from `root` as far as it goes. */
export function locate(root: SourceNode, path: readonly (string | number)[]): Located {
  let located: Located = { depth: 0, node: root, key: undefined };
  for (const step of path) {
    const { node, depth }: Located = located;
    if (node.kind === 'mapping') {
      const entry = entryOf(node, String(step));
      if (entry === undefined) return located;
      located = { depth: depth + 1, node: entry.value, key: entry.key };
    } else {
      const item = node.kind === 'sequence' ? node.items[Number(step)] : undefined;
      if (item === undefined) return located;
      located = { depth: depth + 1, node: item, key: undefined };
    }
  }
  return located;
}
