import { DbManagerError } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { conflict, isBusy, judge, openError, statementError } from './errors.js';

const driverError = (code: string) => Object.assign(new Error('as the driver says it'), { code });

describe('errors of statements', () => {
  it.each([
    ['SQLITE_BUSY', 'DBM_QUERY_FAILED', true],
    ['SQLITE_BUSY_SNAPSHOT', 'DBM_QUERY_FAILED', true],
    ['SQLITE_LOCKED_SHAREDCACHE', 'DBM_QUERY_FAILED', true],
    ['SQLITE_READONLY', 'DBM_READ_ONLY', false],
    ['SQLITE_READONLY_DIRECTORY', 'DBM_READ_ONLY', false],
    ['SQLITE_READONLY_DBMOVED', 'DBM_CONNECTION_LOST', false],
    ['SQLITE_FULL', 'DBM_QUERY_FAILED', false],
    ['SQLITE_CANTOPEN', 'DBM_FILE_NOT_ACCESSIBLE', false],
    ['SQLITE_CONSTRAINT_UNIQUE', 'DBM_UNIQUE_VIOLATION', false],
    ['SQLITE_CONSTRAINT_ROWID', 'DBM_UNIQUE_VIOLATION', false],
    ['SQLITE_CONSTRAINT_TRIGGER', 'DBM_QUERY_FAILED', false],
    ['SQLITE_AUTH', 'DBM_PERMISSION_DENIED', false],
    ['SQLITE_ERROR', 'DBM_QUERY_FAILED', false],
  ])('%s is %s', (sqlite, code, retryable) => {
    const cause = driverError(sqlite);
    expect(statementError(cause, 'main')).toMatchObject({ code, retryable, cause, connectionName: 'main' });
  });

  it.each([
    ['UNIQUE constraint failed: users.first, users.last', { table: 'users', column: undefined }],
    ["UNIQUE constraint failed: index 'users_lower'", { constraint: 'users_lower', table: undefined }],
    ['NOT NULL constraint failed: users.name', { table: 'users', column: 'name' }],
    ['CHECK constraint failed: age >= 18', { constraint: 'age >= 18' }],
    ['FOREIGN KEY constraint failed', { constraint: undefined, table: undefined, column: undefined }],
  ])('names what %s names', (message, named) => {
    const cause = Object.assign(new Error(message), { code: 'SQLITE_CONSTRAINT' });
    expect(statementError(cause, 'main')).toMatchObject(named);
  });

  it.each(['no such table: main.users', 'no such column: age'])(
    'knows "%s" of a kept statement for one of its text',
    (message) => {
      const cause = Object.assign(new Error(message), { code: 'SQLITE_ERROR' });
      expect(statementError(cause, 'main')).toMatchObject({ code: 'DBM_SYNTAX', cause });
    },
  );

  it('leaves errors of dbmanager as they are', () => {
    const error = new DbManagerError('DBM_ABORTED', 'as it was');
    expect(statementError(error, 'main')).toBe(error);
    expect(openError(error, 'main', 'a.db')).toBe(error);
  });
});

describe('errors of opening', () => {
  it.each([
    ['SQLITE_CANTOPEN', 'DBM_FILE_NOT_ACCESSIBLE', false],
    ['SQLITE_NOTADB', 'DBM_FILE_NOT_ACCESSIBLE', false],
    ['SQLITE_BUSY', 'DBM_CONNECT_FAILED', true],
  ])('%s is %s', (sqlite, code, retryable) => {
    expect(openError(driverError(sqlite), 'main', 'a.db')).toMatchObject({ code, retryable });
  });
});

describe('judging a handle by an error', () => {
  it.each([
    ['SQLITE_CORRUPT_VTAB', 'fatal'],
    ['SQLITE_IOERR_WRITE', 'fatal'],
    ['SQLITE_NOTADB', 'fatal'],
    ['SQLITE_BUSY', 'harmless'],
    ['SQLITE_CONSTRAINT_UNIQUE', 'harmless'],
    ['ECONNRESET', 'harmless'],
  ])('%s is %s, wrapped or not', (code, verdict) => {
    expect(judge(driverError(code))).toBe(verdict);
    expect(judge(statementError(driverError(code), 'main'))).toBe(verdict);
  });

  it('does not wait for a snapshot that is no longer the newest: the transaction is to be repeated', () => {
    expect(conflict(statementError(driverError('SQLITE_BUSY_SNAPSHOT'), 'main'))).toBe('serialization_failure');
    expect(conflict(driverError('SQLITE_BUSY'))).toBe('serialization_failure');
    expect(conflict(driverError('SQLITE_FULL'))).toBeUndefined();
    expect(isBusy(driverError('SQLITE_BUSY'))).toBe(true);
    expect(isBusy(driverError('SQLITE_BUSY_SNAPSHOT'))).toBe(false);
    expect(isBusy(undefined)).toBe(false);
  });
});
