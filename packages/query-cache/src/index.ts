export { checkCacheOptions } from './cache-url.js';
export { createQueryCache, type Forget, QueryCache } from './query-cache.js';
export { EVERY_TABLE } from './statement-effects.js';
