export { createQueryCache, type Forget, QueryCache } from './query-cache.js';
export { EVERY_TABLE } from './statement-effects.js';
