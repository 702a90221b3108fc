import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  type ParsedNode,
  parseDocument,
  Scalar,
  type YAMLError,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type {
  SourceDocument,
  SourceEntry,
  SourceMapping,
  SourceNode,
  SourceProblem,
  SourceRange,
  SourceScalar,
} from './source-node.js';

/** Deepest nesting that is read; configurations need five levels. */
const MAX_DEPTH = 100;
/** Most entries that merge keys may copy, so that a small file cannot become a large one. */
const MAX_INHERITED = 100_000;

const CORE_TAG = 'tag:yaml.org,2002:';
const PLAIN_TAGS = ['int', 'float', 'bool', 'null'].map((name) => CORE_TAG + name);
const QUOTING_TAGS = ['!', `${CORE_TAG}str`];

/**
 * Reads any YAML text. An alias becomes the node it refers to, shared and not copied, and merge keys become inherited
 * entries whose number is bounded, so that a bomb stays as small as its text.
 */
export function readYamlSource(text: string): SourceDocument {
  const document = parseDocument(text, {
    // every scalar stays text until substitution is done
    schema: 'failsafe',
    // checked later, naming both places, and without yaml's quadratic search
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  if (document.errors.length > 0) return { root: undefined, problems: causes(document.errors).map(syntaxProblem) };
  return new SourceReader().read(document.contents);
}

class SourceReader {
  readonly #problems: SourceProblem[] = [];
  /** The latest node under each anchor; undefined while that node is being read. */
  readonly #anchors = new Map<string, SourceNode | undefined>();
  #inherited = 0;

  read(contents: ParsedNode | null): SourceDocument {
    const root = this.#node(contents, { start: 0, end: 0 }, 0);
    return { root, problems: this.#problems };
  }

  #node(node: ParsedNode | null, place: SourceRange, depth: number): SourceNode {
    if (node === null) return emptyScalar(place);
    if (isAlias(node)) return this.#alias(node);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, undefined);
    const read = isScalar(node) ? this.#scalar(node) : this.#collection(node, depth);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, read);
    return read;
  }

  #alias(alias: Alias.Parsed): SourceNode {
    const target = this.#anchors.get(alias.source);
    if (target !== undefined) return target;
    const reason = this.#anchors.has(alias.source)
      ? 'the alias stands inside what it names'
      : 'no anchor of that name stands above the alias';
    return this.#refuse(rangeOf(alias), 'bad-alias', reason);
  }

  #scalar(node: Scalar.Parsed): SourceScalar {
    const range = rangeOf(node);
    const { tag } = node;
    const text = node.source;
    if (tag === undefined) return { kind: 'scalar', text, plain: node.type === Scalar.PLAIN, ...range };
    if (QUOTING_TAGS.includes(tag)) return { kind: 'scalar', text, plain: false, ...range };
    if (PLAIN_TAGS.includes(tag)) return { kind: 'scalar', text, plain: true, ...range };
    return this.#refuse(range, 'bad-tag', 'has a tag that configurations do not use');
  }

  #collection(node: YAMLMap.Parsed | YAMLSeq.Parsed, depth: number): SourceNode {
    const range = rangeOf(node);
    if (depth === MAX_DEPTH) return this.#refuse(range, 'too-deep', `is nested deeper than ${MAX_DEPTH} levels`);
    if (node.tag !== undefined && node.tag !== `${CORE_TAG}${isMap(node) ? 'map' : 'seq'}`) {
      return this.#refuse(range, 'bad-tag', 'has a tag that configurations do not use');
    }
    if (isMap(node)) return this.#mapping(node, range, depth);
    const items = node.items.map((item) => this.#node(item, range, depth + 1));
    return { kind: 'sequence', items, ...range };
  }

  #mapping(node: YAMLMap.Parsed, range: SourceRange, depth: number): SourceMapping {
    const entries: SourceEntry[] = [];
    const parents: SourceMapping[] = [];
    for (const pair of node.items) {
      const key = this.#key(pair.key, depth);
      // yaml puts a value that is not there before the next thing that is; right behind the colon is where to write it
      const absent = { start: key.end + 1, end: key.end + 1 };
      const value = isAbsent(pair.value) ? emptyScalar(absent) : this.#node(pair.value, absent, depth + 1);
      if (key.refused) continue;
      if (key.plain && key.text === '<<') parents.push(...this.#parents(value));
      else entries.push({ key, value });
    }
    this.#inherit(entries, parents, range);
    return { kind: 'mapping', entries, ...range };
  }

  #key(node: ParsedNode, depth: number): SourceScalar {
    const key = this.#node(node, rangeOf(node), depth + 1);
    return key.kind === 'scalar'
      ? key
      : this.#refuse(rangeOf(node), 'bad-key', 'a key must be text, not a list or a mapping');
  }

  /** The mappings that a merge key names: one, or a list of them. */
  #parents(value: SourceNode): readonly SourceMapping[] {
    const values = value.kind === 'sequence' ? value.items : [value];
    const mappings = values.filter((candidate) => candidate.kind === 'mapping');
    if (values.some((candidate) => candidate.kind !== 'mapping' && !('refused' in candidate))) {
      this.#refuse(value, 'bad-merge', 'a merge key (<<) takes a mapping or a list of mappings');
    }
    return mappings;
  }

  /** Adds what the mapping itself does not have; of several parents the first counts. */
  #inherit(entries: SourceEntry[], parents: readonly SourceMapping[], range: SourceRange): void {
    if (parents.length === 0) return;
    const seen = new Set(entries.map(({ key }) => key.text));
    for (const parent of parents) {
      // counted by what is looked at: many copies of nothing new cost as much
      this.#inherited += parent.entries.length;
      if (this.#inherited > MAX_INHERITED) {
        this.#refuse(range, 'too-large', `merge keys copy more than ${MAX_INHERITED} entries`);
        return;
      }
      for (const { key, value } of parent.entries) {
        if (seen.has(key.text)) continue;
        seen.add(key.text);
        entries.push({ key, value, inherited: true });
      }
    }
  }

  #refuse({ start, end }: SourceRange, rule: string, message: string): SourceScalar {
    this.#problems.push({ rule, message, start, end });
    return { ...emptyScalar({ start, end }), refused: true };
  }
}

function isAbsent(node: ParsedNode | null): boolean {
  if (node === null) return true;
  return isScalar(node) && node.source === '' && node.type === Scalar.PLAIN && !node.anchor && !node.tag;
}

function emptyScalar({ start, end }: SourceRange): SourceScalar {
  return { kind: 'scalar', text: '', plain: true, start, end };
}

function rangeOf({ range: [start, end] }: ParsedNode): SourceRange {
  return { start, end };
}

/** Texts for the errors whose own may quote the source, and with it a secret. */
const SYNTAX_TEXTS: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  BAD_ALIAS: 'an anchor or alias has no usable name',
  BAD_DIRECTIVE: 'the line is no directive of YAML',
  BAD_DQ_ESCAPE: 'unknown escape sequence; in double quotes write \\\\ for a backslash, or use single quotes',
  BAD_SCALAR_START: 'a value cannot begin with this character; put it in quotes',
  IMPOSSIBLE: 'this is no YAML',
  MULTIPLE_DOCS: 'a second document begins here; a configuration is one document',
  RESOURCE_EXHAUSTION: 'is nested too deeply',
  TAG_RESOLVE_FAILED: 'the tag does not fit the value',
  UNEXPECTED_TOKEN: `this does not belong here; a value with special characters, such as \${VAR} between braces, needs quotes`,
};

/** Errors after which the parser no longer knows where it is. */
const LOST: readonly YAMLError['code'][] = ['UNEXPECTED_TOKEN', 'IMPOSSIBLE', 'RESOURCE_EXHAUSTION'];

/** The errors up to the first that leaves the parser lost: what it reports after that are consequences. */
function causes(errors: readonly YAMLError[]): readonly YAMLError[] {
  const lost = errors.findIndex(({ code }) => LOST.includes(code));
  return lost < 0 ? errors : errors.slice(0, lost + 1);
}

function syntaxProblem({ code, message, pos: [start, end] }: YAMLError): SourceProblem {
  const text = SYNTAX_TEXTS[code] ?? `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  return { rule: 'syntax', message: text, start, end };
}
