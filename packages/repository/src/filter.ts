/** What a column is compared with; several hold together. */
export interface FilterOperators<V> {
  /** Equal; null asks for NULL. */
  readonly eq?: V;
  /** Different; null asks for anything but NULL. As in SQL, rows with NULL are not different from a value. */
  readonly ne?: V;
  readonly gt?: NonNullable<V>;
  readonly gte?: NonNullable<V>;
  readonly lt?: NonNullable<V>;
  readonly lte?: NonNullable<V>;
  /** Equal to one of them; of none, no row is. */
  readonly in?: readonly NonNullable<V>[];
  /** Equal to none of them. As in SQL, rows with NULL are not among those. */
  readonly notIn?: readonly NonNullable<V>[];
  /** A pattern: `%` any text, `_` any character, `\` before one of these takes it as it is. See {@link likeText}. */
  readonly like?: V extends string | null ? string : never;
  readonly isNull?: boolean;
}

/**
 * Which rows are meant. All of what it says holds together: `{ age: { gte: 18 }, or: [{ name: 'Ada' }, { email: { like: 'a%' } }] }`.
 * A bare value asks for equality, and null for NULL. NULL compares as in SQL: neither a comparison nor its `not` finds it.
 */
export type Filter<T> = {
  readonly [K in keyof T]?: T[K] | FilterOperators<T[K]>;
} & {
  readonly and?: readonly Filter<T>[];
  readonly or?: readonly Filter<T>[];
  readonly not?: Filter<T>;
};

/** How rows are ordered: the first column first. NULL is less than any value, on every engine. */
export type Order<T> = { readonly [K in keyof T]?: 'asc' | 'desc' };

/** A text as part of a pattern for `like`, with nothing in it that means more than itself: `%${likeText(input)}%`. */
export function likeText(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
