import { DbManagerError } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { connectError, judge } from './errors.js';

const server = (code: number) => new MongoServerError({ message: `error ${code}`, code });
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const distrusted = Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });

describe('the error of a connect', () => {
  it.each([
    ['of a wrong password', server(18), 'DBM_AUTH_FAILED'],
    ['of a user who may not', server(13), 'DBM_AUTH_FAILED'],
    ['of a server that shuts down', server(91), 'DBM_SERVER_STARTING'],
    ['of a server that is no primary', server(10_107), 'DBM_SERVER_STARTING'],
    ['of a port that is closed', new MongoNetworkError('refused', { cause: refused }), 'DBM_CONNECT_FAILED'],
    ['of a certificate', new MongoNetworkError('TLS', { cause: distrusted }), 'DBM_TLS_FAILED'],
    ['of any other kind', new Error('what'), 'DBM_CONNECT_FAILED'],
  ])('%s', (_, error, code) => {
    expect(connectError(error, 'docs')).toMatchObject({ code, connectionName: 'docs', cause: error });
  });

  it('is that of the first server, where none was found', () => {
    const reason = {
      servers: new Map([
        ['a', { error: null }],
        ['b', { error: server(18) }],
      ]),
    };
    const selection = Object.assign(new Error('timed out'), { reason });
    expect(connectError(selection, 'docs')).toMatchObject({ code: 'DBM_AUTH_FAILED', cause: selection });
  });

  it('is left alone when it is ours', () => {
    const ours = new DbManagerError('DBM_CLOSED', 'closed');
    expect(connectError(ours, 'docs')).toBe(ours);
  });
});

describe('an error given at release', () => {
  it.each([
    [server(10_107), 'failover'],
    [new MongoNetworkError('gone'), 'fatal'],
    [new DbManagerError('DBM_QUERY_FAILED', 'x', { cause: new MongoNetworkError('gone') }), 'fatal'],
    [server(11_000), 'harmless'],
    [undefined, 'harmless'],
  ])('%s is %s', (error, verdict) => {
    expect(judge(error)).toBe(verdict);
  });
});
