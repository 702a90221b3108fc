import type { StatementControl } from '@dbmanager/core';
import { requestCancel } from './cancel-request.js';
import { sqlState, statementError } from './errors.js';
import { destroySocket, isReady, type PgClient, type PgDriver, untilReady } from './pg-driver.js';

/** SQLSTATE query_canceled: by `statement_timeout`, or by somebody's request. */
const QUERY_CANCELED = '57014';

/** How statements of pg's clients are stopped. */
export function statementControl(driver: PgDriver): StatementControl<PgClient> {
  return {
    isReady,
    untilReady,
    cancel: (client, signal) => requestCancel(driver, client, signal),
    destroy: destroySocket,
    isStopped: (error) => sqlState(error) === QUERY_CANCELED,
    explain: statementError,
  };
}
