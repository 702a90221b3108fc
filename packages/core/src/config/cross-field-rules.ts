import { CONNECTION_OPTIONS, type ConnectionOptions } from '../connection-options.js';
import { formatDuration } from '../duration.js';
import { resolvedKey } from '../option-table.js';

/** Where an option's value comes from, the more specific the higher. */
export const ORIGIN = { default: 0, global: 1, connection: 2 } as const;
/** One of {@link ORIGIN}. */
export type Origin = (typeof ORIGIN)[keyof typeof ORIGIN];

type Key = keyof typeof CONNECTION_OPTIONS;
/** Resolved options still being settled. */
export type MutableOptions = { -readonly [K in keyof ConnectionOptions]: ConnectionOptions[K] };

const PROPERTIES = Object.fromEntries(
  Object.entries(CONNECTION_OPTIONS).map(([key, spec]) => [key, resolvedKey(key, spec)]),
) as Readonly<Record<Key, keyof ConnectionOptions>>;

/** `smaller` must stay below `larger`, where neither is switched off by 0. */
interface OrderRule {
  readonly smaller: Key;
  readonly larger: Key;
  readonly mayBeEqual: boolean;
  /** What `smaller` becomes when it breaks the rule and is less specific than `larger`. */
  readonly clamp: (larger: number) => number;
  /** Whether a 0 of `larger` means no limit, so that nothing exceeds it. */
  readonly zeroIsUnlimited?: true;
}

const ORDER_RULES: readonly OrderRule[] = [
  { smaller: 'max_idle_conns', larger: 'max_open_conns', mayBeEqual: true, clamp: (open) => open },
  // A ping that would come after the connection is retired never comes: off, as HikariCP has it.
  { smaller: 'keepalive', larger: 'conn_max_lifetime', mayBeEqual: false, clamp: () => 0, zeroIsUnlimited: true },
  // Half, so that after one dead connection there is time for another.
  { smaller: 'validation_timeout', larger: 'acquire_timeout', mayBeEqual: false, clamp: (acquire) => acquire / 2 },
  { smaller: 'retry_delay', larger: 'retry_max_delay', mayBeEqual: true, clamp: (max) => max },
];

/** A broken rule between two keys; the one to change is `key`. */
export interface CrossFieldProblem {
  readonly key: Key;
  readonly origin: Origin;
  readonly message: string;
}

/**
 * Holds the rules between keys of one connection. A value that comes from further away than the one it contradicts gives
 * way (the default `max_idle_conns: 5` beside `max_open_conns: 1` becomes 1): it was not said of this connection.
 * Otherwise the contradiction is a problem. Keys without an origin are broken already and are left alone.
 */
export function applyCrossFieldRules(
  options: MutableOptions,
  originOf: (key: Key) => Origin | undefined,
): CrossFieldProblem[] {
  const problems: CrossFieldProblem[] = [];
  for (const rule of ORDER_RULES) {
    const smaller = { key: rule.smaller, value: read(options, rule.smaller), origin: originOf(rule.smaller) };
    const larger = { key: rule.larger, value: read(options, rule.larger), origin: originOf(rule.larger) };
    if (smaller.origin === undefined || larger.origin === undefined || holds(rule, smaller.value, larger.value))
      continue;
    if (smaller.origin < larger.origin) {
      Object.assign(options, { [PROPERTIES[rule.smaller]]: rule.clamp(larger.value) });
      continue;
    }
    const origin = larger.origin === ORIGIN.default ? ' (the default)' : '';
    const bound = rule.mayBeEqual ? 'must not exceed' : 'must be less than';
    problems.push({
      key: rule.smaller,
      origin: smaller.origin,
      message: `${written(rule.smaller, smaller.value)} ${bound} ${rule.larger}, ${written(rule.larger, larger.value)}${origin}`,
    });
  }
  return problems;
}

function holds({ mayBeEqual, zeroIsUnlimited }: OrderRule, smaller: number, larger: number): boolean {
  if (smaller === 0 || (zeroIsUnlimited === true && larger === 0)) return true;
  return mayBeEqual ? smaller <= larger : smaller < larger;
}

function read(options: MutableOptions, key: Key): number {
  return options[PROPERTIES[key]] as number;
}

function written(key: Key, value: number): string {
  return CONNECTION_OPTIONS[key].kind === 'duration' ? formatDuration(value) : String(value);
}
