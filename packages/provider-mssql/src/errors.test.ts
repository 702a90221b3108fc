import { CommitUnknownError, DbManagerError } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { conflictOf, connectError, judge, singleError, statementError } from './errors.js';

const server = (number: number, message = 'of the server', severity = 16) =>
  Object.assign(new Error(message), { code: 'EREQUEST', number, class: severity });
const driver = (code: string, message = `of the driver ${code}`, cause?: unknown) =>
  Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
const login = (number: number) => Object.assign(new Error('Login failed.'), { code: 'ELOGIN', number });

describe('errors of SQL Server', () => {
  it.each([
    [login(18456), 'DBM_AUTH_FAILED', 'password', false],
    [login(18452), 'DBM_AUTH_FAILED', 'password', false],
    [login(18488), 'DBM_AUTH_FAILED', 'password', false],
    [login(4060), 'DBM_DATABASE_NOT_FOUND', 'database', false],
    [login(10928), 'DBM_TOO_MANY_CONNECTIONS', 'max_open_conns', true],
    [login(17809), 'DBM_TOO_MANY_CONNECTIONS', 'max_open_conns', true],
    [login(18401), 'DBM_SERVER_STARTING', undefined, true],
    [login(40613), 'DBM_SERVER_STARTING', undefined, true],
    [login(99999), 'DBM_CONNECT_FAILED', undefined, true],
    [driver('ELOGIN'), 'DBM_AUTH_FAILED', 'authentication', false],
    [driver('EFEDAUTH'), 'DBM_AUTH_FAILED', 'authentication', false],
    [driver('EENCRYPT'), 'DBM_TLS_FAILED', 'sslmode', false],
    [driver('ESOCKET', 'Failed', driver('SELF_SIGNED_CERT_IN_CHAIN')), 'DBM_TLS_FAILED', 'sslmode', false],
    [driver('ESOCKET', 'Failed', driver('ECONNREFUSED')), 'DBM_CONNECT_FAILED', 'host', true],
    [driver('EINSTLOOKUP'), 'DBM_CONNECT_FAILED', 'instance', true],
    [driver('ETIMEOUT'), 'DBM_CONNECT_TIMEOUT', 'connect_timeout', true],
  ] as const)('a connect that failed with %s is %s', (cause, code, option, retryable) => {
    const error = connectError(cause, { connectionName: 'primary', host: '::1', port: 1433 });
    expect(error).toMatchObject({ code, retryable, connectionName: 'primary', cause });
    expect(error.option).toBe(option);
    expect(error.message).toContain('[::1]:1433');
  });

  it.each([
    [server(1205), 'DBM_DEADLOCK', true, 'harmless', 'deadlock'],
    [server(3960), 'DBM_SERIALIZATION_FAILURE', true, 'harmless', 'serialization_failure'],
    [server(41302), 'DBM_SERIALIZATION_FAILURE', true, 'harmless', 'serialization_failure'],
    [server(1222), 'DBM_QUERY_FAILED', true, 'harmless', undefined],
    [server(3906), 'DBM_READ_ONLY', false, 'failover', undefined],
    [server(2627), 'DBM_UNIQUE_VIOLATION', false, 'harmless', undefined],
    [server(2601), 'DBM_UNIQUE_VIOLATION', false, 'harmless', undefined],
    [server(547), 'DBM_FOREIGN_KEY_VIOLATION', false, 'harmless', undefined],
    [server(547, 'with the CHECK constraint'), 'DBM_CHECK_VIOLATION', false, 'harmless', undefined],
    [server(515), 'DBM_NOT_NULL_VIOLATION', false, 'harmless', undefined],
    [server(102), 'DBM_SYNTAX', false, 'harmless', undefined],
    [server(208), 'DBM_SYNTAX', false, 'harmless', undefined],
    [server(229), 'DBM_PERMISSION_DENIED', false, 'harmless', undefined],
    [server(8134), 'DBM_QUERY_FAILED', false, 'harmless', undefined],
    [server(596, 'kill state', 21), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [server(823, 'disk', 24), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [server(40197), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [driver('ESOCKET'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [driver('ECLOSE'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [driver('ECONNRESET'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [driver('EINVALIDSTATE'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [driver('ETIMEOUT', 'Failed to cancel request in 5000ms'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [driver('ETIMEOUT', 'Timeout: Request failed'), 'DBM_QUERY_FAILED', false, 'harmless', undefined],
    [driver('ECANCEL'), 'DBM_QUERY_FAILED', false, 'harmless', undefined],
  ] as const)('a statement that failed with %s is %s', (cause, code, retryable, verdict, conflict) => {
    const error = statementError(cause, 'primary');
    expect(error).toMatchObject({ code, retryable, cause });
    const ofMssql = Object.assign(new Error(cause.message), { name: 'TransactionError', originalError: cause });
    for (const each of [cause, error, ofMssql]) {
      expect(judge(each)).toBe(verdict);
      expect(conflictOf(each)).toBe(conflict);
    }
  });

  it.each([
    [
      2627,
      "Violation of UNIQUE KEY constraint 'uq_mail'. Cannot insert duplicate key in object 'dbo.users'. The duplicate key value is (x).",
      { constraint: 'uq_mail', table: 'users', column: undefined },
    ],
    [
      2601,
      "Cannot insert duplicate key row in object 'dbo.users' with unique index 'ix_mail'. The duplicate key value is (x).",
      { constraint: 'ix_mail', table: 'users', column: undefined },
    ],
    [
      547,
      `The INSERT statement conflicted with the FOREIGN KEY constraint "fk_check". The conflict occurred in database "d", table "dbo.users", column 'id'.`,
      { code: 'DBM_FOREIGN_KEY_VIOLATION', constraint: 'fk_check', table: 'users', column: 'id' },
    ],
    [
      547,
      'The DELETE statement conflicted with the SAME TABLE REFERENCE constraint "fk". The conflict occurred in database "d", table "dbo.t".',
      { code: 'DBM_FOREIGN_KEY_VIOLATION', constraint: 'fk', table: 't' },
    ],
    [
      547,
      `The UPDATE statement conflicted with the CHECK constraint "positive". The conflict occurred in database "d", table "dbo.t", column 'n'.`,
      { code: 'DBM_CHECK_VIOLATION', constraint: 'positive', table: 't', column: 'n' },
    ],
    [
      515,
      "Cannot insert the value NULL into column 'n', table 'd.dbo.t'; column does not allow nulls. INSERT fails.",
      { constraint: undefined, table: 't', column: 'n' },
    ],
    [2627, 'Verletzung der UNIQUE KEY-Einschränkung', { code: 'DBM_UNIQUE_VIOLATION', constraint: undefined }],
  ])('takes from the text of %d what it names: %s', (number, message, expected) => {
    expect(statementError(server(number, message), 'primary')).toMatchObject(expected);
  });

  it('goes by the first of several errors, unless another says what became of the transaction', () => {
    const constraint = server(547);
    const several = (...errors: Error[]) => singleError(new AggregateError(errors));
    expect(several(constraint, server(3621))).toBe(constraint);
    expect(several(constraint, server(1205))).toMatchObject({ number: 1205, errors: [constraint, { number: 1205 }] });
    expect(singleError(constraint)).toBe(constraint);
    const ofMssql = Object.assign(server(208), { precedingErrors: [server(1205)] });
    expect(conflictOf(ofMssql)).toBe('deadlock');
  });

  it('shows the text of the server only where it holds no values', () => {
    const duplicate = server(2627, 'Violation of PRIMARY KEY. The duplicate key value is (hunter2).');
    expect(statementError(duplicate, 'primary').message).not.toContain('hunter2');
    expect(statementError(server(208, "Invalid object name 'a'."), 'primary').message).toContain("'a'");
  });

  it('gives up the connection of a commit in doubt', () => {
    expect(judge(new CommitUnknownError('primary', new Error('lost')))).toBe('fatal');
    expect(judge(new DbManagerError('DBM_READ_ONLY', 'refused here'))).toBe('harmless');
  });
});
