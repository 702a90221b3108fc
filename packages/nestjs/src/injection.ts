import { Inject } from '@nestjs/common';
import type { HandleKind } from './handles.js';

type Decorator = ReturnType<typeof Inject>;

/** What a connection is injected by, for `inject` of a factory and `overrideProvider` of a test. */
export function getConnectionToken(connection: string): string {
  return `dbmanager:${connection}`;
}

/** What a handle is injected by; `name` as in its options. */
export function getHandleToken(kind: HandleKind, connection: string, name = 'default'): string {
  return `dbmanager:${connection}:${kind}:${name}`;
}

/** Injects a `Connection`. */
export function InjectConnection(connection: string): Decorator {
  return Inject(getConnectionToken(connection));
}

/** Injects a handle of a connection, of those that `DbManagerModule.forFeature` was told of. */
export function InjectHandle(kind: HandleKind, connection: string, name?: string): Decorator {
  return Inject(getHandleToken(kind, connection, name));
}

/** Injects a `Knex`. */
export const InjectKnex = injects('knex');
/** Injects a `Kysely`. */
export const InjectKysely = injects('kysely');
/** Injects a Drizzle database. */
export const InjectDrizzle = injects('drizzle');
/** Injects a TypeORM `DataSource`. */
export const InjectTypeorm = injects('typeorm');
/** Injects a `MikroORM`. */
export const InjectMikroOrm = injects('mikroorm');
/** Injects the native handle: for postgres what behaves as a `pg.Pool`. */
export const InjectNative = injects('native');

function injects(kind: HandleKind): (connection: string, name?: string) => Decorator {
  return (connection, name) => InjectHandle(kind, connection, name);
}
