import type { Random } from '@dbmanager/core';
import type { Filter, FilterOperators, Order } from '../src/index.js';

/** A row of few different values, so that many are alike. */
export interface Thing {
  id: number;
  word: string;
  rank: number | null;
  flag: boolean | null;
}

/** What SQL says of a condition: null is not known. */
type Truth = boolean | null;

const WORDS = ['', 'a', 'ab', 'abc', 'b', 'ba', 'c'];
const PATTERNS = ['%', 'a%', '%b', '_b%', '_', 'a_c', 'ab', '%a%'];

/** Rows and questions made by chance. */
export class ThingMaker {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  one<V>(of: readonly V[]): V {
    return of[Math.floor(this.#random() * of.length)] as V;
  }

  things(count: number, firstId = 1): Thing[] {
    return Array.from({ length: count }, (_, index) => ({
      id: firstId + index,
      word: this.one(WORDS),
      rank: this.one([null, -1, 0, 1, 2, 3]),
      flag: this.one([null, true, false]),
    }));
  }

  order(): Order<Thing> {
    const columns = this.one<readonly (keyof Thing)[]>([
      [],
      ['word'],
      ['rank'],
      ['rank', 'word'],
      ['flag', 'rank'],
      ['word', 'id'],
    ]);
    return Object.fromEntries(columns.map((column) => [column, this.one(['asc', 'desc'] as const)]));
  }

  filter(depth = 3): Filter<Thing> {
    const make = this.one(
      depth === 0
        ? [() => this.#column()]
        : [
            () => this.#column(),
            () => this.#column(),
            () => ({ and: [this.filter(depth - 1), this.filter(depth - 1)] }),
            () => ({ or: [this.filter(depth - 1), this.filter(depth - 1)] }),
            () => ({ not: this.filter(depth - 1) }),
            () => ({ ...this.#column(), ...this.#column(), or: [this.filter(depth - 1)] }),
          ],
    );
    return make();
  }

  #column(): Filter<Thing> {
    return this.one<() => Filter<Thing>>([
      () => ({ word: this.one(WORDS) }),
      () => ({ word: { like: this.one(PATTERNS) } }),
      () => ({ word: { in: [this.one(WORDS), this.one(WORDS)], ne: this.one(WORDS) } }),
      () => ({ rank: this.one([null, 0, 1]) }),
      () => ({ rank: { [this.one(['gt', 'gte', 'lt', 'lte', 'eq', 'ne'])]: this.one([-1, 0, 1, 2]) } }),
      () => ({ rank: { gte: this.one([-1, 0]), lt: this.one([1, 2, 3]) } }),
      () => ({ rank: { notIn: this.one([[], [0], [1, 2]]) } }),
      () => ({ rank: { in: this.one([[], [0], [1, 2]]) } }),
      () => ({ flag: this.one([null, true, false]) }),
      () => ({ flag: { isNull: this.one([true, false]) } }),
      () => ({ flag: { ne: this.one([null, true]) } }),
    ])();
  }
}

/** Whether a row fits, as SQL has it. */
export function fits(row: Thing, filter: Filter<Thing>): boolean {
  return truthOf(row, filter) === true;
}

/** The rows in an order: NULL first, the key last. */
export function inOrder(rows: readonly Thing[], order: Order<Thing>): Thing[] {
  const terms = Object.entries(order) as [keyof Thing, 'asc' | 'desc'][];
  const last = terms.at(-1)?.[1] ?? 'asc';
  const all = terms.some(([column]) => column === 'id') ? terms : [...terms, ['id', last] as const];
  return rows.toSorted((one, other) => {
    for (const [column, direction] of all) {
      const difference = compared(one[column], other[column]);
      if (difference !== 0) return direction === 'asc' ? difference : -difference;
    }
    return 0;
  });
}

function compared(one: Thing[keyof Thing], other: Thing[keyof Thing]): number {
  if (one === other) return 0;
  if (one === null) return -1;
  return other === null || one > other ? 1 : -1;
}

function truthOf(row: Thing, filter: Filter<Thing>): Truth {
  return both(
    Object.entries(filter).map(([key, value]) => {
      if (key === 'and') return both((value as Filter<Thing>[]).map((each) => truthOf(row, each)));
      if (key === 'or') return not(both((value as Filter<Thing>[]).map((each) => not(truthOf(row, each)))));
      if (key === 'not') return not(truthOf(row, value as Filter<Thing>));
      const operators =
        typeof value === 'object' && value !== null ? (value as FilterOperators<unknown>) : { eq: value };
      const own = row[key as keyof Thing];
      return both(Object.entries(operators).map(([operator, operand]) => truth(operator, own, operand)));
    }),
  );
}

function truth(operator: string, own: Thing[keyof Thing], operand: unknown): Truth {
  if (operator === 'isNull') return (own === null) === operand;
  if (operand === null) return operator === 'eq' ? own === null : own !== null;
  if (operator === 'in' && (operand as unknown[]).length === 0) return false;
  if (operator === 'notIn' && (operand as unknown[]).length === 0) return true;
  if (own === null) return null;
  const value = operand as NonNullable<Thing[keyof Thing]>;
  switch (operator) {
    case 'eq':
      return own === value;
    case 'ne':
      return own !== value;
    case 'gt':
      return own > value;
    case 'gte':
      return own >= value;
    case 'lt':
      return own < value;
    case 'lte':
      return own <= value;
    case 'in':
      return (operand as unknown[]).includes(own);
    case 'notIn':
      return !(operand as unknown[]).includes(own);
    default:
      return new RegExp(`^${String(operand).replaceAll('%', '.*').replaceAll('_', '.')}$`).test(String(own));
  }
}

function both(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

function not(truth: Truth): Truth {
  return truth === null ? null : !truth;
}
