import { DbManagerError } from './errors.js';
import type { EventSource } from './events.js';
import type { Logger } from './logger.js';
import type { ManagedConnection } from './managed-connection.js';
import type { ManagerEvents, PoolEvent } from './manager-events.js';

/** Writes the life of each connection that has `enable_logging` to the logger, until the events end. */
export function logLifecycle(
  events: EventSource<ManagerEvents>,
  logger: Logger,
  find: (name: string) => ManagedConnection | undefined,
): void {
  const logged = (name: string) => find(name)?.config.options.enableLogging ?? false;

  events.on('state', ({ connection, from, to }) => {
    if (!logged(connection)) return;
    const level = to === 'degraded' || to === 'failed' ? 'warn' : 'info';
    const error = find(connection)?.health().error;
    logger[level]({ connection, from, to, ...describe(level === 'warn' ? error : undefined) }, `connection ${to}`);
  });
  events.on('reconnect', ({ connection, attempt, error, nextDelayMs }) => {
    if (!logged(connection)) return;
    if (error === undefined) logger.info({ connection, attempt }, 'reconnected');
    else logger.warn({ connection, attempt, nextDelayMs, ...describe(error) }, 'reconnect failed');
  });
  events.on('pool', (event) => {
    if (logged(event.connection)) logPoolEvent(logger, event.connection, event);
  });
}

function logPoolEvent(logger: Logger, connection: string, { event, payload }: PoolEvent): void {
  switch (event) {
    case 'leak':
      // The pool itself has warned.
      break;
    case 'leakReturned':
      logger.info({ connection, ...payload }, 'connection reported as leaked came back');
      break;
    case 'dirtyRelease':
      logger.warn({ connection, ...payload }, 'connection given back inside an open transaction');
      break;
    case 'lost':
      logger.warn({ connection, ...describe(payload.error), inUse: payload.inUse }, 'connection lost');
      break;
    case 'acquireTimeout':
      logger.warn({ connection, waitedMs: payload.waitedMs, ...describe(payload.error) }, 'acquire timed out');
      break;
    case 'createFailed':
    case 'down':
      logger.debug({ connection, ...payload, ...describe(payload.error) }, `pool ${event}`);
      break;
    default:
      logger.debug({ connection, ...payload }, `pool ${event}`);
  }
}

function describe(error: Error | undefined): { code?: string; error?: string } {
  if (error === undefined) return {};
  return { error: error.message, ...(error instanceof DbManagerError ? { code: error.code } : {}) };
}
