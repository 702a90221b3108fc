import type { SourceExcerpt, SourcePlace } from '@dbmanager/core';
import type { SecretMask } from './secret-mask.js';
import type { SourceRange } from './source-node.js';

/** Stands for what is not shown. */
const HIDDEN = '…';
/** How much of a long line an excerpt shows before and after the place. */
const WINDOW = { before: 80, after: 80 };

/** A text with a name, and the places in it. */
export class SourceFile {
  readonly #name: string;
  readonly #text: string;
  readonly #makeMask: () => SecretMask | undefined;
  #mask: SecretMask | undefined;
  /** Offset at which each line begins; found, like the mask, when the first place is asked for. */
  #lineStarts: number[] | undefined;

  /** Excerpts show what the mask allows; without a mask, only the key that begins the line. */
  constructor(name: string, text: string, mask: () => SecretMask | undefined) {
    this.#name = name;
    this.#text = text;
    this.#makeMask = mask;
  }

  /** `line 12`. */
  describe({ start }: SourceRange): string {
    return `line ${this.#lineOf(start) + 1}`;
  }

  /** The place of `range`. */
  place(range: SourceRange): SourcePlace {
    this.#mask ??= this.#makeMask();
    const mask = this.#mask;
    const line = this.#lineOf(range.start);
    const lineStart = this.#starts()[line] as number;
    const lineEnd = this.#endOf(line);
    const excerpt =
      mask === undefined ? this.#keyOnly(lineStart, lineEnd, range) : this.#masked(lineStart, lineEnd, range, mask);
    const place = { file: this.#name, line: line + 1, column: range.start - lineStart + 1 };
    return excerpt === undefined || excerpt.text === '' ? place : { ...place, excerpt };
  }

  #starts(): number[] {
    if (this.#lineStarts === undefined) {
      this.#lineStarts = [0];
      for (let at = this.#text.indexOf('\n'); at >= 0; at = this.#text.indexOf('\n', at + 1)) {
        this.#lineStarts.push(at + 1);
      }
    }
    return this.#lineStarts;
  }

  #lineOf(offset: number): number {
    const starts = this.#starts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #endOf(line: number): number {
    const next = this.#starts()[line + 1];
    return next === undefined ? this.#text.length : next - 1;
  }

  #masked(lineStart: number, lineEnd: number, range: SourceRange, mask: SecretMask): SourceExcerpt {
    const from = Math.max(lineStart, range.start - WINDOW.before);
    const to = Math.min(lineEnd, range.start + WINDOW.after);
    const excerpt = new ExcerptBuilder(range);
    if (from > lineStart) excerpt.hide(from, from);
    let at = from;
    for (const { start, end, hidden } of mask.within(from, to)) {
      if (excerpt.showUntilComment(this.#text, at, Math.max(at, start))) return excerpt.build();
      const [shownFrom, shownTo] = [Math.max(at, start), Math.min(to, end)];
      if (hidden) excerpt.hide(shownFrom, shownTo);
      else excerpt.show(this.#text, shownFrom, shownTo);
      at = shownTo;
    }
    if (!excerpt.showUntilComment(this.#text, at, to) && to < lineEnd) excerpt.hide(to, to);
    return excerpt.build();
  }

  /** Where the structure is unknown, all behind the first colon may be a secret, and so may be a line without one. */
  #keyOnly(lineStart: number, lineEnd: number, range: SourceRange): SourceExcerpt | undefined {
    const key = /^[ \t]*(?:-[ \t]+)*[\w.-]{1,64}[ \t]*:(?=\s|$)/.exec(this.#text.slice(lineStart, lineEnd))?.[0];
    if (key === undefined) return undefined;
    const excerpt = new ExcerptBuilder(range);
    const keyEnd = lineStart + key.length;
    excerpt.show(this.#text, lineStart, keyEnd);
    if (this.#text.slice(keyEnd, lineEnd).trim() !== '') {
      excerpt.show(this.#text, keyEnd, keyEnd + 1);
      excerpt.hide(keyEnd + 1, lineEnd);
    }
    return excerpt.build();
  }
}

/** Puts an excerpt together piece by piece and keeps track of where the marked range comes to stand in it. */
class ExcerptBuilder {
  readonly #range: SourceRange;
  #text = '';
  #start: number | undefined;
  #end = 0;

  constructor(range: SourceRange) {
    this.#range = range;
  }

  show(source: string, from: number, to: number): void {
    this.#append(source.slice(from, to), from, to);
  }

  hide(from: number, to: number): void {
    this.#append(HIDDEN, from, to);
  }

  /** Shows punctuation and keys; stops at a comment, and then gives true: comments may hold anything. */
  showUntilComment(source: string, from: number, to: number): boolean {
    const comment = /(?:^|[ \t])#/.exec(source.slice(from, to));
    if (comment === null || (comment.index === 0 && comment[0] === '#' && !/[\s]/.test(source[from - 1] ?? '\n'))) {
      this.show(source, from, to);
      return false;
    }
    this.show(source, from, from + comment.index);
    return true;
  }

  build(): SourceExcerpt {
    const start = Math.min(this.#start ?? this.#text.length, this.#text.length);
    return { text: this.#text.trimEnd(), start, length: Math.max(1, this.#end - start) };
  }

  #append(piece: string, from: number, to: number): void {
    const { start, end } = this.#range;
    const width = piece.length;
    // a hidden piece is narrower than its source, so positions inside it are cut to its width
    if (this.#start === undefined && start < Math.max(to, from + 1)) {
      this.#start = this.#text.length + Math.min(start - from, width);
    }
    if (end > from) this.#end = this.#text.length + Math.min(end - from, width);
    this.#text += piece;
  }
}
