import type { StatementObservation, StatementObserver } from '@dbmanager/core';
import { numberOf } from './errors.js';
import type { Job, JobKind } from './job.js';

/** Jobs of the protocol that are no text, in the words of T-SQL. */
const TEXTS: Readonly<Record<Exclude<JobKind, 'statement'>, string>> = {
  begin: 'BEGIN TRANSACTION',
  commit: 'COMMIT TRANSACTION',
  rollback: 'ROLLBACK TRANSACTION',
  savepoint: 'SAVE TRANSACTION',
  'rollback to savepoint': 'ROLLBACK TRANSACTION',
};

/** The job, which now tells the observer how it ends; the same where it is no query but prepares or frees one. */
export function observedJob(job: Job, observer: StatementObserver, connection: object): Job {
  const text = job.kind === 'statement' ? job.query : TEXTS[job.kind];
  if (text === undefined) return job;
  const { request } = job;
  const observation = observer.begin(text, request !== undefined && parametersOf(request).length > 0, connection);
  let givesRows = false;
  request?.once('columnMetadata', () => {
    givesRows = true;
  });
  return {
    ...commented(job, observation),
    deliver(outcome) {
      const [error, rows] = outcome;
      if (error) observation.fail(error, statusOf(error));
      else observation.end(givesRows && typeof rows === 'number' ? rows : undefined);
      job.deliver(outcome);
    },
  };
}

/** The same with a comment where one is wanted; without the trace, as the server finds plans by the whole text. */
function commented(job: Job, observation: StatementObservation): Job {
  const { withText } = job;
  if (withText === undefined) return job;
  const text = observation.commented?.('stable');
  return text === undefined ? job : withText(text);
}

/** The server's number. */
export function statusOf(error: unknown): string | undefined {
  const number = numberOf(error);
  return number === 0 ? undefined : String(number);
}

/** tedious' types leave it out. */
function parametersOf(request: object): readonly unknown[] {
  return (request as { readonly parameters: readonly unknown[] }).parameters;
}
