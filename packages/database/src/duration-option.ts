import { DbManagerError, parseDuration } from '@dbmanager/core';

/** Milliseconds of a duration given in code. Throws `DBM_INVALID_OPTION`, for the option `timeout` unless named. */
export function durationMs(
  duration: number | string | undefined,
  connectionName: string,
  option = 'timeout',
): number | undefined {
  if (duration === undefined) return undefined;
  const ms = typeof duration === 'string' ? parseDuration(duration) : duration;
  if (ms !== undefined && ms >= 0) return ms;
  throw new DbManagerError('DBM_INVALID_OPTION', `"${duration}" is no duration; write it as '5s', or in milliseconds`, {
    connectionName,
    option,
  });
}
