import { isMapping, SECRET_FILE_SUFFIX } from '@dbmanager/core';

type Mapping = Readonly<Record<string, unknown>>;

/**
 * One configuration over another. A key of the upper layer replaces the same key at the same place of the lower one;
 * connections are merged by name, one key at a time. What a layer sets for all connections does not override what a
 * lower layer says of one. Neither input is changed.
 */
export function mergeLayers(lower: unknown, upper: unknown): unknown {
  if (!isMapping(lower) || !isMapping(upper)) return upper ?? lower;
  const merged = mergeKeys(lower, upper);
  if (isMapping(lower.connections) && isMapping(upper.connections)) {
    merged.connections = mergeConnections(lower.connections, upper.connections);
  }
  return merged;
}

function mergeConnections(lower: Mapping, upper: Mapping): Mapping {
  const merged = copy(lower);
  for (const [name, connection] of Object.entries(upper)) {
    const below = merged[name];
    merged[name] = isMapping(below) && isMapping(connection) ? mergeKeys(below, connection) : connection;
  }
  return merged;
}

/** A secret and the file it is read from are two ways to say one thing: the upper layer's way replaces the other. */
function mergeKeys(lower: Mapping, upper: Mapping): Record<string, unknown> {
  const merged = copy(lower);
  for (const key of Object.keys(upper)) {
    delete merged[
      key.endsWith(SECRET_FILE_SUFFIX) ? key.slice(0, -SECRET_FILE_SUFFIX.length) : key + SECRET_FILE_SUFFIX
    ];
  }
  return Object.assign(merged, upper);
}

/** A copy without a prototype, in which a key `__proto__` is just a key. */
function copy(mapping: Mapping): Record<string, unknown> {
  return Object.assign(Object.create(null), mapping);
}
