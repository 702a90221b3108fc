import { type OptionSpec, POOL_OPTIONS, type PoolOptions, parseDuration, resolvedKey } from '@dbmanager/core';

/** The defaults of a pool, as the configuration resolves them, with `overrides`. */
export function poolOptions(overrides: Partial<PoolOptions> = {}): PoolOptions {
  const defaults = Object.entries<OptionSpec>(POOL_OPTIONS).map(([key, spec]) => {
    const value = 'default' in spec ? spec.default : undefined;
    return [resolvedKey(key, spec), spec.kind === 'duration' ? parseDuration(String(value)) : value];
  });
  return { ...(Object.fromEntries(defaults) as PoolOptions), ...overrides };
}
