import { DbManagerError } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { lineLogger } from './line-logger.js';

function logged(write: (logger: ReturnType<typeof lineLogger>) => void): string {
  let text = '';
  write(lineLogger({ write: (line) => (text += line) }));
  return text;
}

describe('lineLogger', () => {
  it('writes level, message and fields on one line, and nothing of debug', () => {
    expect(logged((logger) => logger.info({ connection: 'primary' }, 'connection ready'))).toBe(
      'info connection ready {"connection":"primary"}\n',
    );
    expect(logged((logger) => logger.warn({}, 'late'))).toBe('warn late\n');
    expect(logged((logger) => logger.debug({}, 'detail'))).toBe('');
  });

  it('writes the text of an error, and nothing that a driver hung on it', () => {
    const driver = Object.assign(new Error('duplicate key'), { detail: 'Key (email)=(a@b.c) already exists.' });
    const cyclic = Object.assign(new Error('reset'), { self: {} });
    cyclic.self = cyclic;
    const ours = new DbManagerError('DBM_CONNECTION_LOST', 'gone', { cause: driver, connectionName: 'primary' });
    expect(logged((logger) => logger.error({ err: driver }, 'a'))).toBe(
      'error a {"err":{"message":"duplicate key"}}\n',
    );
    expect(logged((logger) => logger.error({ err: cyclic }, 'b'))).toBe('error b {"err":{"message":"reset"}}\n');
    expect(logged((logger) => logger.error({ err: ours }, 'c'))).toBe(
      'error c {"err":{"code":"DBM_CONNECTION_LOST","message":"connection \\"primary\\": gone"}}\n',
    );
  });
});
