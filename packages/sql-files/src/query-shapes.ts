/** Statements by name, each with the values of its parameters: what a generated file says. Empty: nothing is known. */
export type QueryShapes = object;

/** A name of a statement; any text where nothing is known. */
export type QueryName<Q extends QueryShapes> = keyof Q extends never ? string : Extract<keyof Q, string>;

/** What a statement is given besides its name: nothing where it has no parameters. */
export type QueryValues<Q extends QueryShapes, N> = N extends keyof Q
  ? keyof Q[N] extends never
    ? [values?: Readonly<Record<string, never>>]
    : [values: Readonly<Q[N]>]
  : [values?: Readonly<Record<string, unknown>>];
