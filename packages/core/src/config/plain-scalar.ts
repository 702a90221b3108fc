/**
 * A number, boolean or null of a text source together with the text it was written as, so that a key that wants text
 * gets exactly what stands there: `password: 0123` is the password `0123`, not `123`.
 */
export class PlainScalar {
  readonly value: number | bigint | boolean | null;
  readonly text: string;

  constructor(value: number | bigint | boolean | null, text: string) {
    this.value = value;
    this.text = text;
  }
}

/**
 * Stands for a value whose source could not give it (an unset variable, an unreadable file) and which has been reported
 * already. The key counts as set, and nothing more is said about it or about what depends on it.
 */
export const UNRESOLVED: unique symbol = Symbol('dbmanager.unresolved');
