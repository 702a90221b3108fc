import type { SourceEntry, SourceMapping, SourceNode, SourceScalar } from './source-node.js';

/*
 * The `yaml` package takes about 0.4 s for a megabyte. Nearly every configuration is written in a small part of YAML, for
 * which a reader of one pass takes a tenth of that: block mappings, and on the line of a key a scalar without escapes, or a
 * flow mapping or list of such scalars. Anything else, and anything doubtful, is left to `yaml`. A test holds the two
 * together: where this reader gives a tree, it is the tree that `yaml` gives.
 */

/** Spaces, then a key with its colon. */
const KEY = /( *)([A-Za-z0-9_][\w.-]{0,63}):(?= |$)/my;
const BLANK_LINE = / *(?:#.*)?$/my;
const TO_LINE_END = / *(?: #.*)?$/my;
const QUOTED = /"([^"\\\n]*)"|'([^'\n]*)'/y;
/** A scalar without quotes: what would end it or mean something else does not occur in it. */
const PLAIN = /(?:[\w./~$+]|[-:](?=[\w./$]))(?:[^\s:#]|:(?=[^\s])|(?<=\S)#|[ ]+(?=[^\s#]))*/y;
const PLAIN_IN_FLOW = /[\w./~+](?:[\w./~+$-]| +(?=[\w./~+$-]))*/y;
const FLOW_KEY = / *([A-Za-z0-9_][\w.-]{0,63}): +/y;
const SPACES = / */y;

/** Deeper nesting is left to `yaml`, which bounds it. */
const MAX_OPEN = 50;

/** A mapping whose entries are still being read. */
interface OpenMapping {
  readonly indent: number;
  readonly node: { -readonly [K in keyof SourceMapping]: SourceMapping[K] } & { readonly entries: SourceEntry[] };
  /** The key that waits for its value on the lines below. */
  waiting: SourceScalar | undefined;
}

/** The tree of a text in the simple part of YAML, or undefined when it may be more than that. */
export function readSimpleYamlSource(text: string): SourceNode | undefined {
  return /[\t\r]/.test(text) ? undefined : new SimpleReader(text).read();
}

/** Every method that returns undefined or false leaves the whole text to `yaml`. */
class SimpleReader {
  readonly #text: string;
  #at = 0;
  readonly #open: OpenMapping[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  read(): SourceNode | undefined {
    let root: SourceMapping | undefined;
    while (this.#at < this.#text.length) {
      if (this.#take(BLANK_LINE) === undefined) {
        if (!this.#line()) return undefined;
        root ??= this.#open[0]?.node;
      }
      this.#at++;
    }
    while (this.#open.length > 0) this.#close();
    return root;
  }

  #line(): boolean {
    const start = this.#at;
    const match = this.#take(KEY);
    if (match === undefined) return false;
    const [, { length: indent }, name] = match as unknown as [string, string, string];
    const mapping = this.#mappingAt(indent, start + indent);
    if (mapping === undefined) return false;
    const key = scalar(name, true, start + indent, this.#at - 1);
    if (this.#take(TO_LINE_END) !== undefined) {
      mapping.waiting = key;
      return true;
    }
    this.#take(SPACES);
    const value = this.#value();
    if (value === undefined || this.#take(TO_LINE_END) === undefined) return false;
    mapping.node.entries.push({ key, value });
    return true;
  }

  /** The mapping that a line of this indentation belongs to. */
  #mappingAt(indent: number, start: number): OpenMapping | undefined {
    while ((this.#open.at(-1)?.indent ?? -1) > indent) this.#close();
    const parent = this.#open.at(-1);
    if (parent?.indent === indent) {
      settle(parent);
      return parent;
    }
    // deeper without a key that waits would continue a scalar over several lines
    const allowed = parent === undefined ? indent === 0 : parent.waiting !== undefined;
    if (!allowed || this.#open.length === MAX_OPEN) return undefined;
    const opened: OpenMapping = {
      indent,
      node: { kind: 'mapping', entries: [], start, end: start },
      waiting: undefined,
    };
    if (parent?.waiting !== undefined) parent.node.entries.push({ key: parent.waiting, value: opened.node });
    if (parent !== undefined) parent.waiting = undefined;
    this.#open.push(opened);
    return opened;
  }

  #close(): void {
    const mapping = this.#open.pop() as OpenMapping;
    settle(mapping);
    mapping.node.end = mapping.node.entries.at(-1)?.value.end ?? mapping.node.start;
  }

  #value(): SourceNode | undefined {
    const first = this.#text[this.#at];
    if (first === '{') return this.#flowMapping();
    if (first === '[') return this.#flowSequence();
    return this.#scalar(PLAIN);
  }

  #scalar(plain: RegExp): SourceScalar | undefined {
    const start = this.#at;
    const quoted = this.#take(QUOTED);
    if (quoted !== undefined) return scalar(quoted[1] ?? quoted[2] ?? '', false, start, this.#at);
    const match = this.#take(plain);
    return match && scalar(match[0], true, start, this.#at);
  }

  #flowMapping(): SourceMapping | undefined {
    const start = this.#at;
    const entries: SourceEntry[] = [];
    do {
      this.#at++;
      const match = this.#take(FLOW_KEY);
      if (match === undefined) return undefined;
      const name = match[1] as string;
      const keyStart = this.#text.indexOf(name, this.#at - match[0].length);
      const value = this.#scalar(PLAIN_IN_FLOW);
      if (value === undefined) return undefined;
      entries.push({ key: scalar(name, true, keyStart, keyStart + name.length), value });
      this.#take(SPACES);
    } while (this.#text[this.#at] === ',');
    return this.#text[this.#at] === '}' ? { kind: 'mapping', entries, start, end: ++this.#at } : undefined;
  }

  #flowSequence(): SourceNode | undefined {
    const start = this.#at;
    const items: SourceNode[] = [];
    do {
      this.#at++;
      this.#take(SPACES);
      const item = this.#scalar(PLAIN_IN_FLOW);
      if (item === undefined) return undefined;
      items.push(item);
      this.#take(SPACES);
    } while (this.#text[this.#at] === ',');
    return this.#text[this.#at] === ']' ? { kind: 'sequence', items, start, end: ++this.#at } : undefined;
  }

  /** What a sticky pattern matches here, and goes behind it. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }
}

function scalar(text: string, plain: boolean, start: number, end: number): SourceScalar {
  return { kind: 'scalar', text, plain, start, end };
}

/** A key that still waits when its mapping goes on or ends has no value. */
function settle(mapping: OpenMapping): void {
  if (mapping.waiting === undefined) return;
  const { end } = mapping.waiting;
  mapping.node.entries.push({ key: mapping.waiting, value: scalar('', true, end + 1, end + 1) });
  mapping.waiting = undefined;
}
