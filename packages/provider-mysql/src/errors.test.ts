import { CommitUnknownError, DbManagerError } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { conflictOf, connectError, judge, statementError } from './errors.js';

const server = (errno: number, message = 'of the server') =>
  Object.assign(new Error(message), { errno, sqlState: 'HY000', code: 'ER_SOMETHING' });
const socket = (code: string) => Object.assign(new Error(`of the socket ${code}`), { code });
const fails = (columns: string) =>
  `Cannot delete or update a parent row: a foreign key constraint fails (\`shop\`.\`pl\`\`ay\`, CONSTRAINT \`of\` FOREIGN KEY (${columns}) REFERENCES \`t\` (\`id\`))`;

describe('errors of MySQL', () => {
  it.each([
    [server(1045), 'DBM_AUTH_FAILED', false],
    [server(1698), 'DBM_AUTH_FAILED', false],
    [server(1044), 'DBM_AUTH_FAILED', false],
    [server(1130), 'DBM_AUTH_FAILED', false],
    [server(1049), 'DBM_DATABASE_NOT_FOUND', false],
    [server(1040), 'DBM_TOO_MANY_CONNECTIONS', true],
    [server(1203), 'DBM_TOO_MANY_CONNECTIONS', true],
    [server(1053), 'DBM_SERVER_STARTING', true],
    [server(1047), 'DBM_SERVER_STARTING', true],
    [socket('ECONNREFUSED'), 'DBM_CONNECT_FAILED', true],
    [socket('HANDSHAKE_NO_SSL_SUPPORT'), 'DBM_TLS_FAILED', false],
    [socket('HANDSHAKE_SSL_ERROR'), 'DBM_TLS_FAILED', false],
    [socket('AUTH_SWITCH_PLUGIN_ERROR'), 'DBM_AUTH_FAILED', false],
  ] as const)('a connect that failed with %s is %s', (cause, code, retryable) => {
    const error = connectError(cause, { connectionName: 'primary', host: '::1', port: 3306 });
    expect(error).toMatchObject({ code, retryable, connectionName: 'primary', cause });
    expect(error.message).toContain('[::1]:3306');
  });

  it.each([
    [server(1213), 'DBM_DEADLOCK', true, 'harmless', 'deadlock'],
    [server(1020), 'DBM_SERIALIZATION_FAILURE', true, 'harmless', 'serialization_failure'],
    [server(1205), 'DBM_QUERY_FAILED', true, 'harmless', undefined],
    [server(3572), 'DBM_QUERY_FAILED', true, 'harmless', undefined],
    [server(1792), 'DBM_READ_ONLY', false, 'harmless', undefined],
    [server(1290, 'running with the --read-only option'), 'DBM_READ_ONLY', false, 'failover', undefined],
    [server(1290, 'running with --secure-file-priv'), 'DBM_QUERY_FAILED', false, 'harmless', undefined],
    [server(1836), 'DBM_READ_ONLY', false, 'failover', undefined],
    [server(1062), 'DBM_UNIQUE_VIOLATION', false, 'harmless', undefined],
    [server(1153), 'DBM_QUERY_FAILED', false, 'fatal', undefined],
    [server(1053), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [server(1927), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [server(4031), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [socket('ECONNRESET'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
    [socket('PROTOCOL_CONNECTION_LOST'), 'DBM_CONNECTION_LOST', false, 'fatal', undefined],
  ] as const)('a statement that failed with %s is %s', (cause, code, retryable, verdict, conflict) => {
    const error = statementError(cause, 'primary');
    expect(error).toMatchObject({ code, retryable, cause });
    for (const each of [cause, error]) {
      expect(judge(each)).toBe(verdict);
      expect(conflictOf(each)).toBe(conflict);
    }
  });

  it.each([
    [1062, "Duplicate entry 'a' for key 'users.email'", { table: 'users', constraint: 'email' }],
    [1062, "Duplicate entry 'it''s for key 'x'' for key 'email'", { table: undefined, constraint: 'email' }],
    [1048, "Column 'name' cannot be null", { column: 'name' }],
    [1364, "Field 'name' doesn't have a default value", { column: 'name' }],
    [1451, fails('`name`'), { table: 'pl`ay', constraint: 'of', column: 'name' }],
    [1452, fails('`name`, `first`'), { table: 'pl`ay', constraint: 'of', column: undefined }],
    [3819, "Check constraint 'age' is violated.", { constraint: 'age' }],
    [4025, 'CONSTRAINT `age` failed for `shop`.`users`', { constraint: 'age', table: 'users' }],
    [1062, 'Doppelter Eintrag', { constraint: undefined, table: undefined, column: undefined }],
  ])('names what the server names: %i %s', (errno, message, named) => {
    expect(statementError(server(errno, message), 'primary')).toMatchObject(named);
  });

  it.each([
    ['42S02', 'DBM_SYNTAX'],
    ['42S22', 'DBM_SYNTAX'],
    ['42000', 'DBM_QUERY_FAILED'],
  ])('takes names that there are not by the state %s', (sqlState, code) => {
    expect(statementError(Object.assign(server(1), { sqlState }), 'primary')).toMatchObject({ code });
  });

  it('shows the text of the server only where it holds no values', () => {
    expect(statementError(server(1062, "Duplicate entry 'hunter2'"), 'primary').message).not.toContain('hunter2');
    expect(statementError(server(1146, "Table 'a.b' doesn't exist"), 'primary').message).toContain("'a.b'");
  });

  it('gives up the connection of a commit in doubt', () => {
    expect(judge(new CommitUnknownError('primary', new Error('lost')))).toBe('fatal');
    expect(judge(new DbManagerError('DBM_ABORTED', 'aborted'))).toBe('harmless');
  });
});
