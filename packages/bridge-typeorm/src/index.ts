export { typeormBridge } from './typeorm-bridge.js';
export type { TypeormBridgeOptions } from './typeorm-options.js';
