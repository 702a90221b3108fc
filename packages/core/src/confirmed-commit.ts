import type { BridgeTarget } from './bridge.js';
import { CommitUnknownError, DbManagerError } from './errors.js';

/** The command tag with which a server says that it has rolled back instead of committing. */
const ROLLED_BACK = 'ROLLBACK';

/**
 * Settles as the COMMIT that an ORM has sent by itself, but says what it came to: rejects with `DBM_COMMIT_UNKNOWN` when the
 * connection died meanwhile, and with `DBM_TRANSACTION_ABORTED` when the answer's command tag is that of a rollback, which
 * ORMs take for a success.
 *
 * @param tag takes the command tag from the answer.
 */
export async function confirmedCommit<T>(
  commit: Promise<T>,
  { name: connectionName, engine }: Pick<BridgeTarget, 'name' | 'engine'>,
  tag: (answer: T) => string | undefined,
): Promise<T> {
  let answer: T;
  try {
    answer = await commit;
  } catch (error) {
    throw engine.factory.judge?.(error) === 'fatal' ? new CommitUnknownError(connectionName, error) : error;
  }
  if (tag(answer) !== ROLLED_BACK) return answer;
  throw new DbManagerError(
    'DBM_TRANSACTION_ABORTED',
    'COMMIT was answered with ROLLBACK: a statement of the transaction had failed before; nothing of it was committed',
    { connectionName },
  );
}
