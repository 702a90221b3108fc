/**
 * `original` with `members` in the place of its own. Everything else is that of the original, and what is set is set on it.
 */
export function overlay<T extends object>(original: T, members: Partial<T>): T {
  // An object of its own behind the proxy: a member of the original may be fixed, and a proxy must then show it.
  return new Proxy<T>(Object.create(original), {
    get(_, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value: unknown = Reflect.get(original, key, original);
      return typeof value === 'function' ? value.bind(original) : value;
    },
    set: (_, key, value) => Reflect.set(original, key, value, original),
  });
}
