import type { Connection, DrizzleBridgeOptions } from 'dbmanager';

/** The options of a method of a connection; `true` for none. */
type OptionsOf<K extends 'knex' | 'kysely' | 'typeorm' | 'mikroorm'> = true | NonNullable<Parameters<Connection[K]>[0]>;

/** The handles that a feature injects, each with its options. They are named as the methods of a connection. */
export interface HandleOptions {
  readonly knex?: OptionsOf<'knex'>;
  readonly kysely?: OptionsOf<'kysely'>;
  readonly drizzle?: true | DrizzleBridgeOptions;
  readonly typeorm?: OptionsOf<'typeorm'>;
  readonly mikroorm?: OptionsOf<'mikroorm'>;
  readonly native?: true;
}

/** What can be injected of a connection. */
export type HandleKind = keyof HandleOptions;

/** Opens a handle of a connection; a promise where the ORM opens asynchronously. */
export function openHandle(connection: Connection, kind: HandleKind, options: object | undefined): unknown {
  const open = connection[kind] as (options?: object) => unknown;
  return open.call(connection, options);
}
