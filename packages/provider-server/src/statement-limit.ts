import type { StatementOptions } from '@dbmanager/core';

/**
 * The limit to give the server for a statement that may take longer than the limit of its connection allows; undefined: that
 * will do. In milliseconds, 0 is none.
 */
export function longerLimit({ timeoutMs }: StatementOptions, serverTimeoutMs: number): number | undefined {
  return timeoutMs === 0 || (timeoutMs ?? 0) > serverTimeoutMs ? timeoutMs : undefined;
}
