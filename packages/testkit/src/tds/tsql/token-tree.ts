import type { Token } from './lexer.js';
import { isToken, syntaxError } from './token-cursor.js';

/** What stands in a pair of parentheses. */
export interface Group {
  readonly kind: 'group';
  readonly nodes: readonly Node[];
}

/** A token, or tokens in parentheses. */
export type Node = Token | Group;

/** Puts what stands in parentheses together. */
export function treeOf(tokens: readonly Token[]): Node[] {
  const root: Node[] = [];
  const open: Node[][] = [root];
  for (const token of tokens) {
    if (token.kind === 'end') break;
    if (isToken(token, '(')) open.push([]);
    else if (isToken(token, ')')) {
      const nodes = open.pop();
      const outer = open.at(-1);
      if (nodes === undefined || outer === undefined) throw syntaxError(token);
      outer.push({ kind: 'group', nodes });
    } else open.at(-1)?.push(token);
  }
  if (open.length > 1) throw syntaxError(tokens.at(-1) as Token);
  return root;
}

/** True when the node is that word, in whatever case, or that symbol. */
export function isNode(node: Node | undefined, ...texts: readonly string[]): node is Token {
  return node !== undefined && node.kind !== 'group' && texts.some((text) => isToken(node, text));
}

export function isGroup(node: Node | undefined): node is Group {
  return node?.kind === 'group';
}

/** True when it can name something: a word or a quoted name. */
export function isName(node: Node | undefined): node is Token {
  return node?.kind === 'word' || node?.kind === 'name';
}

/** What a name says, without its quotes. */
export function nameOf(token: Token): string {
  return token.kind === 'name' ? token.value : token.text;
}

/** Nodes between commas. */
export function splitAtCommas(nodes: readonly Node[]): Node[][] {
  const parts: Node[][] = [[]];
  for (const node of nodes) {
    if (isNode(node, ',')) parts.push([]);
    else parts.at(-1)?.push(node);
  }
  return parts.length === 1 && parts[0]?.length === 0 ? [] : parts;
}

/** The place of the first of these words outside parentheses and CASE … END, from `from` on; -1 when there is none. */
export function indexOfWord(nodes: readonly Node[], words: readonly string[], from = 0): number {
  let cases = 0;
  for (let index = from; index < nodes.length; index++) {
    const node = nodes[index];
    if (isNode(node, 'CASE')) cases++;
    else if (isNode(node, 'END')) cases--;
    else if (cases === 0 && isNode(node, ...words)) return index;
  }
  return -1;
}

/** A name with its parts, such as [dbo].[t], at a place among nodes. */
export interface NameAt {
  readonly parts: readonly string[];
  /** The place after it. */
  readonly end: number;
}

/** Reads the name at `at`; undefined when there is none. */
export function nameAt(nodes: readonly Node[], at: number): NameAt | undefined {
  const first = nodes[at];
  if (first?.kind === 'variable') return { parts: [first.value], end: at + 1 };
  if (!isName(first)) return undefined;
  const parts = [nameOf(first)];
  let end = at + 1;
  while (isNode(nodes[end], '.')) {
    end++;
    // A schema that is left out, as in `database..table`.
    for (; isNode(nodes[end], '.'); end++) parts.push('dbo');
    const next = nodes[end];
    if (!isName(next)) break;
    parts.push(nameOf(next));
    end++;
  }
  return { parts, end };
}

/** The last part of the name that nodes begin with, such as the column of `t.a ASC`. */
export function lastName(nodes: readonly Node[]): string {
  return nameAt(nodes, 0)?.parts.at(-1) ?? '';
}

const NO_TABLE_ALIAS =
  'WHERE ON INNER LEFT RIGHT FULL CROSS JOIN OUTER GROUP ORDER UNION HAVING WITH OPTION SET OUTPUT FOR USING'.split(
    ' ',
  );

/** True when what follows a table is an alias for it. */
export function hasAlias(next: Node | undefined): boolean {
  return isNode(next, 'AS') || (isName(next) && !isNode(next, ...NO_TABLE_ALIAS));
}
