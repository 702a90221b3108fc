import type { DrizzleBridgeOptions, DrizzleType } from '@dbmanager/bridge-drizzle';
import { DbManagerError } from '@dbmanager/core';
import { namedOptions } from './named-options.js';

/** What `drizzle()` is called with: the type of the connection where it is not postgres, and options. */
export type DrizzleArguments =
  | [options?: DrizzleBridgeOptions | undefined]
  | [type: DrizzleType, options?: DrizzleBridgeOptions | undefined];

/** The options and the key for `use`. Throws `DBM_UNSUPPORTED` when the type is another than the connection's. */
export function drizzleOptions(
  [first, second]: DrizzleArguments,
  { name: connectionName, type }: { readonly name: string; readonly type: string },
): ReturnType<typeof namedOptions<DrizzleBridgeOptions>> {
  if (typeof first !== 'string') return namedOptions(first);
  if (first === type) return namedOptions(second);
  throw new DbManagerError('DBM_UNSUPPORTED', `drizzle("${first}") asked of type ${type}`, { connectionName });
}
