import { DbManagerError, toMilliseconds } from '@dbmanager/core';

/** Milliseconds of a duration given in code. Throws `DBM_INVALID_OPTION`, for the option `timeout` unless named. */
export function durationMs(
  duration: number | string | undefined,
  connectionName: string | undefined,
  option = 'timeout',
): number | undefined {
  if (duration === undefined) return undefined;
  const ms = toMilliseconds(duration);
  if (ms !== undefined) return ms;
  throw new DbManagerError('DBM_INVALID_OPTION', `"${duration}" is no duration; write it as '5s', or in milliseconds`, {
    connectionName,
    option,
  });
}
