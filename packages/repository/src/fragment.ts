/** A piece of SQL with its values; `?` stands for each of them. */
export interface Fragment {
  readonly sql: string;
  readonly bindings: readonly unknown[];
}

/** The condition that no row fits; this object alone is known as such. */
export const NEVER: Fragment = { sql: '1 = 0', bindings: [] };
/** The condition that every row fits; this object alone is known as such. */
export const ALWAYS: Fragment = { sql: '1 = 1', bindings: [] };

export function fragment(sql: string, ...bindings: readonly unknown[]): Fragment {
  return { sql, bindings };
}

/** All of them hold; undefined is passed over. At least one must be there. */
export function all(parts: readonly (Fragment | undefined)[]): Fragment {
  return joined(parts, ' and ', [NEVER, ALWAYS]);
}

/** All of them hold; undefined when there is none. */
export function allOf(parts: readonly (Fragment | undefined)[]): Fragment | undefined {
  return parts.some((part) => part !== undefined) ? all(parts) : undefined;
}

/** One of them holds. At least one must be there. */
export function any(parts: readonly Fragment[]): Fragment {
  return joined(parts, ' or ', [ALWAYS, NEVER]);
}

/** It does not hold. */
export function not(part: Fragment): Fragment {
  if (part === NEVER) return ALWAYS;
  return part === ALWAYS ? NEVER : { sql: `not (${part.sql})`, bindings: part.bindings };
}

/** What decides a whole of parts wherever it stands, and what decides nothing, and is all that is left where nothing else stands. */
type Constants = readonly [decisive: Fragment, neutral: Fragment];

function joined(parts: readonly (Fragment | undefined)[], word: string, [decisive, neutral]: Constants): Fragment {
  if (parts.includes(decisive)) return decisive;
  return (
    sideBySide(parts.filter((part) => part !== undefined && part !== neutral) as readonly Fragment[], word) ?? neutral
  );
}

/** More are halved: `a or b or c` is as deep to an engine as it is long, and SQLite goes down a thousand. */
const WIDEST = 16;

function sideBySide(parts: readonly Fragment[], word: string): Fragment | undefined {
  if (parts.length < 2) return parts[0];
  if (parts.length > WIDEST) {
    const middle = parts.length >> 1;
    const halves = [parts.slice(0, middle), parts.slice(middle)];
    return sideBySide(
      halves.flatMap((half) => sideBySide(half, word) ?? []),
      word,
    );
  }
  return { sql: `(${parts.map(({ sql }) => sql).join(word)})`, bindings: parts.flatMap(({ bindings }) => bindings) };
}
