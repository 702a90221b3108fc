import { type SqlType, sqlType } from '../sql-type.js';
import { indexOfWord, isGroup, isName, isNode, type Node, nameOf, splitAtCommas } from './token-tree.js';

const AFTER_ITEMS = [
  'FROM',
  'INTO',
  'WHERE',
  'GROUP',
  'HAVING',
  'ORDER',
  'UNION',
  'EXCEPT',
  'INTERSECT',
  'OPTION',
  'FOR',
];
/** What a name at the end of an item can be besides its alias. */
const NO_ALIAS = ['END', 'NULL', 'ASC', 'DESC'];
/** What comes before a name that is no alias. */
const BEFORE_OPERANDS = ['COLLATE', 'NOT', 'AND', 'OR', 'LIKE', 'IS', 'IN', 'BETWEEN', 'DISTINCT'];

/** An item of SELECT or OUTPUT, and what it is called. */
export interface Item {
  readonly alias: string | undefined;
  readonly expression: readonly Node[];
}

/** The place where the items of SELECT begin. */
export function itemsStart(nodes: readonly Node[]): number {
  let at = isNode(nodes[1], 'DISTINCT', 'ALL') ? 2 : 1;
  if (isNode(nodes[at], 'TOP')) at += 2;
  return at;
}

/** The place after the items of SELECT. */
export function itemsEnd(nodes: readonly Node[]): number {
  const end = indexOfWord(nodes, AFTER_ITEMS, itemsStart(nodes));
  return end === -1 ? nodes.length : end;
}

export function selectItems(nodes: readonly Node[]): Item[] {
  return splitAtCommas(nodes.slice(itemsStart(nodes), itemsEnd(nodes))).map(itemOf);
}

/** `x AS y`, `x y`, and `y = x`. */
export function itemOf(nodes: readonly Node[]): Item {
  const [first, second] = nodes;
  if (isName(first) && isNode(second, '=')) return { alias: nameOf(first), expression: nodes.slice(2) };
  const last = nodes.at(-1);
  const before = nodes.at(-2);
  if (before === undefined || last === undefined || last.kind === 'group')
    return { alias: undefined, expression: nodes };
  if (last.kind === 'string') {
    return isNode(before, 'AS')
      ? { alias: last.value, expression: nodes.slice(0, -2) }
      : { alias: undefined, expression: nodes };
  }
  if (!isName(last)) return { alias: undefined, expression: nodes };
  if (isNode(before, 'AS')) return { alias: nameOf(last), expression: nodes.slice(0, -2) };
  // `x IS NULL`, `x COLLATE y`, and `t.x` end in names that are no aliases.
  const isOperand = isNode(last, ...NO_ALIAS) || isNode(before, ...BEFORE_OPERANDS) || isSymbol(before);
  if (isOperand) return { alias: undefined, expression: nodes };
  return { alias: nameOf(last), expression: nodes.slice(0, -1) };
}

function isSymbol(node: Node): boolean {
  return node.kind === 'symbol';
}

/** The variable that an item of `SELECT @x = 1` assigns to. */
export function assignedVariable(nodes: readonly Node[]): string | undefined {
  const [first] = nodes;
  return first?.kind === 'variable' && isNode(nodes[1], '=') ? first.value : undefined;
}

/** True for `*` and `t.*`. */
export function isStar({ expression }: Item): boolean {
  return isNode(expression.at(-1), '*') && (expression.length === 1 || isNode(expression.at(-2), '.'));
}

/** The type that nodes such as those after CAST (… AS declare. */
export function typeOfNodes(nodes: readonly Node[]): SqlType | undefined {
  const words = nodes.filter((node) => !isGroup(node)).map((node) => (isName(node) ? nameOf(node) : ''));
  const args = nodes.find(isGroup);
  const name = words.join(' ').toLowerCase() === 'double precision' ? 'float' : words.at(-1);
  if (name === undefined) return undefined;
  return sqlType(
    name,
    ...splitAtCommas(args?.nodes ?? []).map(([node]) =>
      isNode(node, 'MAX') ? 'max' : Number((node as { text?: string }).text),
    ),
  );
}
