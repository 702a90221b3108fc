/**
 * `target` with some members replaced. Its other methods run on `target` itself, as they may need its private fields. A member
 * given as undefined is one that it has not.
 */
export function overlay<T extends object>(target: T, members: { readonly [K in keyof T]?: T[K] | undefined }): T {
  return new Proxy({} as T, {
    get(_, key) {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    has: (_, key) => Object.hasOwn(members, key) || Reflect.has(target, key),
  });
}
