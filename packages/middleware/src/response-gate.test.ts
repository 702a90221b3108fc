import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RequestError } from './request-error.js';
import { ResponseGate } from './response-gate.js';

describe('a response gate', () => {
  let server: Server;

  /** What a client gets when `listener` has the gate of its response. */
  async function ask(listener: (gate: ResponseGate, response: ServerResponse) => Promise<void> | void) {
    const failed = Promise.withResolvers<never>();
    const onRequest: RequestListener = (_request, response) => {
      response.setHeader('X-Before', 'yes');
      Promise.resolve(listener(new ResponseGate(response), response)).catch(failed.reject);
    };
    server = createServer(onRequest).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const response = await Promise.race([fetch(`http://127.0.0.1:${port}`), failed.promise]);
    return { status: response.status, headers: response.headers, body: await response.text() };
  }

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('that does not hold lets everything through', async () => {
    await expect(ask((_gate, response) => void response.end('free'))).resolves.toMatchObject({ body: 'free' });
  });

  it('sends what was held as it was when it was sent, whatever was done to it since', async () => {
    const { status, headers, body } = await ask(async (gate, response) => {
      gate.hold();
      response.statusCode = 201;
      response.setHeader('X-Twice', ['a', 'b']);
      response.end('first');
      await gate.asked;
      expect([gate.status, gate.streaming, response.headersSent]).toEqual([201, false, false]);
      response.statusCode = 500;
      response.appendHeader('X-Twice', 'c');
      response.removeHeader('X-Before');
      response.setHeader('Content-Length', 6);
      response.end('second');
      gate.release();
    });
    expect([status, body]).toEqual([201, 'first']);
    expect([headers.get('x-twice'), headers.get('x-before')]).toEqual(['a, b', 'yes']);
  });

  it('stays shut until all who hold it have released it', async () => {
    const { body } = await ask((gate, response) => {
      gate.hold();
      gate.hold();
      response.end('late');
      gate.release();
      expect(response.writableEnded).toBe(false);
      gate.release();
      expect(response.writableEnded).toBe(true);
    });
    expect(body).toBe('late');
  });

  it('knows the status that the head is written with, and keeps what it was given', async () => {
    const { status, headers } = await ask((gate, response) => {
      gate.hold();
      response.writeHead(418, { 'X-Head': 'kept' });
      expect([gate.status, gate.streaming]).toEqual([418, true]);
      response.end();
      gate.release();
    });
    expect([status, headers.get('x-head')]).toEqual([418, 'kept']);
  });

  it('has writers wait, and go on when it opens', async () => {
    const { body } = await ask(async (gate, response) => {
      gate.hold();
      expect(response.write('one ')).toBe(false);
      const drained = once(response, 'drain');
      gate.release();
      await drained;
      response.end('two');
    });
    expect(body).toBe('one two');
  });

  it('that streams finds the response as Node has it then: the head sent, and no other to be set', async () => {
    const { status, headers, body } = await ask((gate, response) => {
      gate.hold();
      response.write('one ');
      expect(response.headersSent).toBe(true);
      const sent = expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' });
      expect(() => response.setHeader('X-Late', 'yes')).toThrow(sent);
      // As some do that ask a field of Node's, which is not set.
      response.writeHead(500);
      response.end('two');
      expect(response.headersSent).toBe(false);
      gate.release();
    });
    expect([status, headers.get('x-late'), body]).toEqual([200, null, 'one two']);
  });

  it('that forgot a part of an answer takes another one whole', async () => {
    const { status, headers, body } = await ask((gate, response) => {
      gate.hold();
      response.write('secret');
      gate.discard();
      expect(response.headersSent).toBe(false);
      response.writeHead(500, { 'X-Instead': 'yes' }).end('instead');
      gate.release();
    });
    expect([status, headers.get('x-instead'), body]).toEqual([500, 'yes', 'instead']);
  });

  it('forgets what is discarded, with its headers, and keeps those that were there before', async () => {
    const { status, headers, body } = await ask(async (gate, response) => {
      gate.hold();
      response.statusCode = 201;
      response.setHeader('X-Handler', 'yes');
      const acknowledged = new Promise<void>((resolve) => void response.end('secret', () => resolve()));
      gate.discard();
      await acknowledged;
      response.end('instead');
      gate.release();
    });
    expect([status, headers.get('x-before'), headers.get('x-handler'), body]).toEqual([200, 'yes', null, 'instead']);
  });

  it('that is refused answers with the code of the error, and drops what comes later without its being told', async () => {
    const { status, headers, body } = await ask(async (gate, response) => {
      gate.hold();
      response.setHeader('X-Handler', 'yes');
      const written = new Promise<void>((resolve) => void response.write('secret', () => resolve()));
      gate.refuse(new RequestError('DBM_REQUEST_TIMEOUT', 503, 'the request took longer than 5 ms'));
      await written;
      expect(gate.shut).toBe(true);
      response.setHeader('X-Late', 'yes').removeHeader('X-Before');
      expect(response.write('late')).toBe(true);
      await new Promise<void>((resolve) => void response.end('later', () => resolve()));
      gate.release();
    });
    expect([status, body]).toEqual([503, '{"error":"DBM_REQUEST_TIMEOUT"}\n']);
    expect([headers.get('x-before'), headers.get('x-handler'), headers.get('x-late')]).toEqual(['yes', null, null]);
  });

  it('tells nothing of an error that is not its own', async () => {
    const { status, body } = await ask((gate) => gate.refuse(new Error('password=hunter2')));
    expect([status, body]).toEqual([500, '{"error":"internal"}\n']);
  });

  it('cuts off an answer that has begun to leave', async () => {
    const answer = ask((gate, response) => {
      response.write('begun');
      gate.refuse(new Error('too late'));
    });
    await expect(answer).rejects.toThrow();
  });
});
