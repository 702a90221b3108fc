/** A piece of SQL with its values; `?` stands for each of them. */
export interface Fragment {
  readonly sql: string;
  readonly bindings: readonly unknown[];
}

export const NEVER: Fragment = { sql: '1 = 0', bindings: [] };

export function fragment(sql: string, ...bindings: readonly unknown[]): Fragment {
  return { sql, bindings };
}

/** All of them hold; undefined is passed over. At least one must be there. */
export function all(parts: readonly (Fragment | undefined)[]): Fragment {
  return joined(parts, ' and ');
}

/** All of them hold; undefined when there is none. */
export function allOf(parts: readonly (Fragment | undefined)[]): Fragment | undefined {
  return parts.some((part) => part !== undefined) ? all(parts) : undefined;
}

/** One of them holds. At least one must be there. */
export function any(parts: readonly Fragment[]): Fragment {
  return joined(parts, ' or ');
}

function joined(parts: readonly (Fragment | undefined)[], word: string): Fragment {
  const present = parts.filter((part) => part !== undefined);
  const [first] = present;
  if (present.length === 1 && first !== undefined) return first;
  return {
    sql: `(${present.map(({ sql }) => sql).join(word)})`,
    bindings: present.flatMap(({ bindings }) => bindings),
  };
}
