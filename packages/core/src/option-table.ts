import type { Secret } from './secret.js';

/**
 * The one source of truth for a YAML key: validation, defaults, TypeScript types, docs and JSON Schema all derive from
 * these tables. Core, providers and third parties each bring a table; see docs/decisions for why it is not a library.
 */
export type OptionSpec = {
  readonly description: string;
  /** Where it may stand: on a connection, beside `connections` as the default for all, or both. Default `connection`. */
  readonly scope?: 'connection' | 'global' | 'both';
  readonly examples?: readonly unknown[];
  /** A connection without it is refused. Has no default. */
  readonly required?: true;
  /** What a value of 0 means, where it means something special. */
  readonly zero?: string;
} & (
  | { readonly kind: 'string'; readonly default?: string }
  /**
   * A file. A relative path is resolved against the folder of the configuration file, so that the working directory does
   * not matter; `literals` are no paths and stay as they are.
   */
  | { readonly kind: 'path'; readonly default?: string; readonly literals?: readonly string[] }
  | { readonly kind: 'integer'; readonly default?: number; readonly min?: number; readonly max?: number }
  | { readonly kind: 'boolean'; readonly default?: boolean }
  /** Written as Go writes durations; `default`, `min` and `max` too. 0 is allowed besides `min` when `zero` is given. */
  | { readonly kind: 'duration'; readonly default?: string; readonly min?: string; readonly max?: string }
  | { readonly kind: 'enum'; readonly values: readonly string[]; readonly default?: string }
  /** Never printed. A sibling key `<name>_file` that reads it from a file exists by itself. */
  | { readonly kind: 'secret' }
  /** A string that may embed a secret, such as a DSN: never printed. */
  | { readonly kind: 'secret-string' }
  | { readonly kind: 'string-list'; readonly default?: readonly string[] }
  | { readonly kind: 'string-map'; readonly default?: Readonly<Record<string, string>> }
);

/** YAML key (snake_case) to its specification. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type ResolvedKey<K extends string, S> = S extends { kind: 'duration' } ? `${Camel<K>}Ms` : Camel<K>;
type ValueOf<S> = S extends { kind: 'integer' | 'duration' }
  ? number
  : S extends { kind: 'boolean' }
    ? boolean
    : S extends { kind: 'enum'; values: readonly (infer V)[] }
      ? V
      : S extends { kind: 'secret' | 'secret-string' }
        ? Secret
        : S extends { kind: 'string-list' }
          ? readonly string[]
          : S extends { kind: 'string-map' }
            ? Readonly<Record<string, string>>
            : string;

/**
 * The resolved options of a table: camelCase, durations in milliseconds with the suffix `Ms`, every default filled in;
 * what has no default may be undefined. `max_open_conns` is `maxOpenConns`, `acquire_timeout` is `acquireTimeoutMs`.
 */
export type OptionsOf<T extends OptionTable> = {
  readonly [K in keyof T & string as ResolvedKey<K, T[K]>]: T[K] extends { default: unknown } | { required: true }
    ? ValueOf<T[K]>
    : ValueOf<T[K]> | undefined;
};

/** Declares a table, keeping its literal types. */
export function defineOptions<const T extends OptionTable>(table: T): T {
  return table;
}

/** The property of the resolved options that holds `key`. */
export function resolvedKey(key: string, spec: OptionSpec): string {
  const camel = key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return spec.kind === 'duration' ? `${camel}Ms` : camel;
}
