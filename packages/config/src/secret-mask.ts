import { MAX_NEAR_MISSES, nearest } from '@dbmanager/core';
import { entryOf, type SourceNode, type SourceRange } from './source-node.js';

/** Which keys hold values that may be printed. */
export interface KeyPrivacy {
  /** Known keys whose values are no secrets. */
  readonly open: ReadonlySet<string>;
  /** Known keys whose values are secrets. */
  readonly secret: ReadonlySet<string>;
}

interface MaskedRange extends SourceRange {
  readonly hidden: boolean;
}

/**
 * Tells which scalars of a document may be shown in an excerpt: those under a known key that is no secret, or under a
 * misspelling of one, for the first misspellings. All others are hidden: an unknown key may well be a misspelt `password`, and what stands outside the
 * section is not ours to show.
 */
export class SecretMask {
  readonly #privacy: KeyPrivacy;
  readonly #scalars: MaskedRange[] = [];
  readonly #visited = new Set<SourceNode>();
  #nearMisses = 0;

  constructor(root: SourceNode, section: string, privacy: KeyPrivacy) {
    this.#privacy = privacy;
    const entry = root.kind === 'mapping' ? entryOf(root, section) : undefined;
    if (root.kind !== 'mapping') this.#add(root, true);
    else for (const { value } of root.entries) if (value !== entry?.value) this.#add(value, true);
    if (entry !== undefined) this.#walk(entry.value, false);
    this.#scalars.sort((a, b) => a.start - b.start);
  }

  /** The ranges that touch `[start, end)`, in order; what they leave out is indentation, keys, punctuation or comments. */
  *within(start: number, end: number): Iterable<MaskedRange> {
    for (let index = this.#firstAfter(start); index < this.#scalars.length; index++) {
      const scalar = this.#scalars[index] as MaskedRange;
      if (scalar.start >= end) return;
      yield scalar;
    }
  }

  #walk(node: SourceNode, open: boolean): void {
    if (node.kind !== 'scalar' && this.#visited.has(node)) return;
    this.#visited.add(node);
    if (node.kind === 'scalar') this.#add(node, !open);
    else if (node.kind === 'sequence') for (const item of node.items) this.#walk(item, open);
    // `open` passes on to the keys of an open mapping, such as tags
    else for (const { key, value } of node.entries) this.#walk(value, open || this.#isOpen(key.text));
  }

  #isOpen(key: string): boolean {
    const { open, secret } = this.#privacy;
    if (open.has(key) || secret.has(key)) return open.has(key);
    if (this.#nearMisses++ >= MAX_NEAR_MISSES) return false;
    const meant = nearest(key, [...open, ...secret]);
    return meant !== undefined && open.has(meant);
  }

  #add({ start, end }: SourceRange, hidden: boolean): void {
    if (end > start) this.#scalars.push({ start, end, hidden });
  }

  /** Index of the first scalar that ends after `offset`; they do not overlap, so ends are sorted too. */
  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.#scalars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#scalars[middle] as MaskedRange).end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
