import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { renderErrors } from '../../../scripts/errors-doc.js';
import { CommitUnknownError, DbManagerError, ERROR_CODES, isDbManagerError, StartupError } from './errors.js';

const root = new URL('../../../', import.meta.url);

describe('error codes', () => {
  it('stand in docs/errors.md exactly as in the code', () => {
    expect(readFileSync(new URL('docs/errors.md', root), 'utf8')).toBe(renderErrors(ERROR_CODES));
  });

  it('are each raised somewhere in the packages', () => {
    const sources = sourcesOf(new URL('packages/', root));
    // Raised by engines that are not part of this repository yet; users can match on it already.
    const reserved = ['DBM_NOT_MONGODB'];
    const unused = Object.keys(ERROR_CODES).filter(
      (code) => !reserved.includes(code) && !sources.includes(`'${code}'`),
    );
    expect(unused).toEqual([]);
  });
});

describe('DbManagerError', () => {
  it('names the connection and keeps the cause, the option and the retryability of its code', () => {
    const cause = new Error('refused');
    const error = new DbManagerError('DBM_CONNECT_FAILED', 'no answer', {
      connectionName: 'primary',
      option: 'host',
      cause,
    });
    expect(error).toMatchObject({
      name: 'DbManagerError',
      message: 'connection "primary": no answer',
      code: 'DBM_CONNECT_FAILED',
      connectionName: 'primary',
      option: 'host',
      retryable: true,
      cause,
    });
  });

  it('recognises an error of another installed copy by its brand, but a subclass only its own', () => {
    const foreign = { [Symbol.for('dbmanager.error')]: true, code: 'DBM_CLOSED' };
    expect(foreign instanceof DbManagerError).toBe(true);
    expect(foreign instanceof CommitUnknownError).toBe(false);
    expect(new CommitUnknownError('primary', undefined) instanceof DbManagerError).toBe(true);
    expect(new DbManagerError('DBM_CLOSED', 'closed') instanceof CommitUnknownError).toBe(false);
    expect(new Error('other') instanceof DbManagerError).toBe(false);
  });

  it('is told apart by code', () => {
    const error: unknown = new DbManagerError('DBM_CLOSED', 'closed');
    expect(isDbManagerError(error, 'DBM_CLOSED')).toBe(true);
    expect(isDbManagerError(error, 'DBM_ABORTED')).toBe(false);
    expect(isDbManagerError(undefined)).toBe(false);
  });

  it('answers to the general code of its own too, and not the other way round', () => {
    const unique = new DbManagerError('DBM_UNIQUE_VIOLATION', 'twice', { constraint: 'email', table: 'users' });
    expect(unique).toMatchObject({ constraint: 'email', table: 'users', column: undefined });
    expect(isDbManagerError(unique, 'DBM_QUERY_FAILED')).toBe(true);
    expect(isDbManagerError(new DbManagerError('DBM_QUERY_FAILED', 'x'), 'DBM_UNIQUE_VIOLATION')).toBe(false);
    const foreign = { [Symbol.for('dbmanager.error')]: true, code: 'DBM_OF_TOMORROW' };
    expect(isDbManagerError(foreign, 'DBM_QUERY_FAILED')).toBe(false);
  });
});

describe('StartupError', () => {
  it('is about the connection and the option of its one error, and about none when there are several', () => {
    const one = new DbManagerError('DBM_CONNECT_FAILED', 'down', { connectionName: 'a', option: 'host' });
    expect(new StartupError([one])).toMatchObject({
      connectionName: 'a',
      option: 'host',
      message: 'connection "a": could not start: down',
    });
    expect(new StartupError([one, one])).toMatchObject({ connectionName: undefined, option: undefined });
  });

  it('is retryable only when each of its errors is', () => {
    const down = new DbManagerError('DBM_CONNECT_FAILED', 'down', { connectionName: 'a' });
    const refused = new DbManagerError('DBM_AUTH_FAILED', 'refused', { connectionName: 'b' });
    expect(new StartupError([down]).retryable).toBe(true);
    expect(new StartupError([down, refused]).retryable).toBe(false);
    expect(new StartupError([down, refused]).message).toContain('connection "a": down; connection "b": refused');
  });
});

function sourcesOf(folder: URL): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile() && file.name.endsWith('.ts') && !file.name.endsWith('.test.ts'))
    .filter((file) => /[/\\]src([/\\]|$)/.test(file.parentPath))
    .map((file) => readFileSync(`${file.parentPath}/${file.name}`, 'utf8').split('as const satisfies').at(-1))
    .join('\n');
}
