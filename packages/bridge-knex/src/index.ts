export { knexBridge } from './knex-bridge.js';
export type { KnexBridgeOptions } from './knex-options.js';
