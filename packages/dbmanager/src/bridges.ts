import { drizzleBridge } from '@dbmanager/bridge-drizzle';
import { knexBridge } from '@dbmanager/bridge-knex';
import { kyselyBridge } from '@dbmanager/bridge-kysely';
import { mikroOrmBridge } from '@dbmanager/bridge-mikro-orm';
import { typeormBridge } from '@dbmanager/bridge-typeorm';
import type { Bridge } from '@dbmanager/core';

/** Bridges that come with this package; `default_orm` may name each of them, or `native`. */
// biome-ignore lint/suspicious/noExplicitAny: each bridge has its own handle and options
export const BRIDGES: readonly Bridge<any, any>[] = [
  knexBridge,
  kyselyBridge,
  drizzleBridge,
  typeormBridge,
  mikroOrmBridge,
];
