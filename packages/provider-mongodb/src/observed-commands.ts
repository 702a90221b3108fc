import type { StatementObservation, StatementObserver } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent } from 'mongodb';
import type { MongoClient } from './mongodb-driver.js';

/** What the driver sends for itself, what we ask to see whether it is well, and what goes on with an operation that has begun. */
const NO_OPERATIONS: ReadonlySet<string> = new Set([
  'authenticate',
  'endSessions',
  'getMore',
  'getnonce',
  'hello',
  'isMaster',
  'ismaster',
  'killCursors',
  'ping',
  'saslContinue',
  'saslStart',
]);

/** The parts of a reply that are looked at. */
interface Reply {
  readonly cursor?: { readonly firstBatch?: readonly unknown[] };
  readonly writeErrors?: readonly { readonly code?: unknown }[];
}

/**
 * Tells of every operation of a client from now on, by the driver's command events; what it returns ends that. Of a client that
 * was made without `monitorCommands` there are none. An attempt that the driver repeats is an operation of its own.
 */
export function observeCommands(client: MongoClient, observer: StatementObserver): () => void {
  const underWay = new Map<number, StatementObservation>();
  const take = (requestId: number) => {
    const observation = underWay.get(requestId);
    underWay.delete(requestId);
    return observation;
  };

  const started = ({ requestId, commandName, command }: CommandStartedEvent) => {
    if (NO_OPERATIONS.has(commandName)) return;
    const collection: unknown = command[commandName];
    underWay.set(
      requestId,
      observer.beginCommand(commandName, typeof collection === 'string' ? collection : undefined),
    );
  };
  const succeeded = ({ requestId, reply }: CommandSucceededEvent) => {
    const { cursor, writeErrors } = (reply ?? {}) as Reply;
    const [error] = writeErrors ?? [];
    if (error === undefined) take(requestId)?.end(cursor?.firstBatch?.length);
    else take(requestId)?.fail(error, statusOf(error));
  };
  const failed = ({ requestId, failure }: CommandFailedEvent) => take(requestId)?.fail(failure, statusOf(failure));

  client.on('commandStarted', started);
  client.on('commandSucceeded', succeeded);
  client.on('commandFailed', failed);
  return () => {
    client.off('commandStarted', started);
    client.off('commandSucceeded', succeeded);
    client.off('commandFailed', failed);
  };
}

/** The server's number. */
function statusOf(error: object): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'number' ? String(code) : undefined;
}
