export { mikroOrmBridge } from './mikro-orm-bridge.js';
export type { SqlMikroOrm } from './mikro-orm-module.js';
export type { MikroOrmBridgeOptions } from './mikro-orm-options.js';
export type { MongoMikroOrm } from './mongodb-mikro-orm.js';
export { withEntityManager } from './with-entity-manager.js';
