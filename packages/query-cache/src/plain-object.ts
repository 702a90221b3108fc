/** True for an object of no class. Of which realm does not matter: a driver may have been loaded in another one, as under Jest. */
export function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || isRoot(prototype);
}

/** True for a date of no class of its own. */
export function isPlainDate(value: Date): boolean {
  return isRoot(Object.getPrototypeOf(Object.getPrototypeOf(value)));
}

function isRoot(prototype: unknown): boolean {
  return Object.getPrototypeOf(prototype) === null;
}
