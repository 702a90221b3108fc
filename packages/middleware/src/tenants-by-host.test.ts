import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FakeClock } from '@dbmanager/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { type Exchange, RequestContext } from './request-context.js';
import { RequestError } from './request-error.js';
import { TenantsByHost } from './tenants-by-host.js';

/** As much of a request as looking for its tenant takes. */
function exchangeAt(...hosts: string[]): Exchange {
  const response = Object.assign(new EventEmitter(), { getHeaders: () => ({}), destroyed: true });
  return {
    request: { headersDistinct: { host: hosts } } as unknown as IncomingMessage,
    response: response as unknown as ServerResponse,
  };
}

describe('tenants by host', () => {
  let clock: FakeClock;
  let asked: string[];
  let answer: (host: string, signal: AbortSignal) => Promise<{ id: string } | undefined>;
  let tenants: TenantsByHost<{ id: string }>;

  const open = (cache?: { ttl: number | string; max?: number }) => {
    tenants = new TenantsByHost(
      (host, { signal }) => {
        asked.push(host);
        return answer(host, signal);
      },
      { clock, cache },
    );
  };
  const find = (host: string) => tenants.find(exchangeAt(host));

  beforeEach(() => {
    clock = new FakeClock();
    asked = [];
    answer = async (host) => (host.startsWith('no') ? undefined : { id: host });
    open({ ttl: '30s', max: 2 });
  });

  it('are asked for at each request, unless a cache is asked for', async () => {
    open();
    await find('a');
    await find('a');
    expect(asked).toEqual(['a', 'a']);
  });

  it('are kept for the time that was said, unknown ones among them', async () => {
    for (let i = 0; i < 2; i++) {
      await expect(find('a')).resolves.toEqual({ id: 'a' });
      await expect(find('no')).rejects.toMatchObject({ code: 'DBM_UNKNOWN_TENANT', status: 404, statusCode: 404 });
    }
    expect(asked).toEqual(['a', 'no']);
    await clock.advance(30_000);
    await find('a');
    expect(asked).toEqual(['a', 'no', 'a']);
  });

  it('are kept in the number that was said: who was not asked for longest goes first', async () => {
    for (const host of ['a', 'b', 'a', 'c', 'a', 'b']) await find(host);
    expect(asked).toEqual(['a', 'b', 'c', 'b']);
  });

  it('are looked up once for all who ask at once', async () => {
    const found = await Promise.all(Array.from({ length: 100 }, () => find('a')));
    expect(new Set(found).size).toBe(1);
    expect(asked).toEqual(['a']);
  });

  it('are none where the resolver finds null, as some ORMs do', async () => {
    tenants = new TenantsByHost<{ id: string }>(async () => null);
    await expect(find('a')).rejects.toMatchObject({ code: 'DBM_UNKNOWN_TENANT', status: 404 });
  });

  it('are not kept when the lookup fails', async () => {
    answer = async () => {
      throw new Error('database down');
    };
    await expect(find('a')).rejects.toThrow('database down');
    answer = async (host) => ({ id: host });
    await expect(find('a')).resolves.toEqual({ id: 'a' });
  });

  it('are forgotten when told so, also while they are looked up', async () => {
    const gate = Promise.withResolvers<{ id: string }>();
    answer = () => gate.promise;
    const old = find('a');
    tenants.forget('A:80');
    answer = async () => ({ id: 'new' });
    await expect(find('a')).resolves.toEqual({ id: 'new' });
    gate.resolve({ id: 'old' });
    await expect(old).resolves.toEqual({ id: 'old' });
    await expect(find('a')).resolves.toEqual({ id: 'new' });
    tenants.forget();
    await find('a');
    expect(asked).toEqual(['a', 'a', 'a']);
  });

  it('stop being looked up when the last request that waits is called off, and not before', async () => {
    let signal: AbortSignal | undefined;
    answer = (_host, given) => {
      signal = given;
      return new Promise(() => {});
    };
    const [one, other] = [exchangeAt('a'), exchangeAt('a')];
    const waiting = [one, other].map((exchange) => tenants.find(exchange));
    const ended = Promise.allSettled(waiting);
    const gone = new RequestError('DBM_ABORTED', 499, 'gone');
    RequestContext.of(one).callOff(gone);
    await expect(waiting[0]).rejects.toBe(gone);
    expect(signal?.aborted).toBe(false);
    RequestContext.of(other).callOff(gone);
    await ended;
    expect(signal?.aborted).toBe(true);
  });

  it('are not looked up for a host that is none, or for several', async () => {
    for (const exchange of [exchangeAt(), exchangeAt("a'--"), exchangeAt('a', 'b'), exchangeAt('a\u0001')]) {
      await expect(tenants.find(exchange)).rejects.toMatchObject({ code: 'DBM_INVALID_HOST', status: 400 });
    }
    expect(asked).toEqual([]);
  });

  it('are told of the request that they were found for, and of no other', async () => {
    const exchange = exchangeAt('a');
    await tenants.find(exchange);
    expect(tenants.of(exchange.request)).toEqual({ id: 'a' });
    expect(() => tenants.of(exchangeAt('a').request)).toThrow(expect.objectContaining({ code: 'DBM_UNSUPPORTED' }));
  });

  it('are forgotten by the host as a person writes it; what is no host is refused', async () => {
    await find('xn--bcher-kva.example');
    tenants.forget('Bücher.example');
    await find('xn--bcher-kva.example');
    expect(asked).toHaveLength(2);
    for (const host of [5, null, 'a b', '']) {
      expect(() => tenants.forget(host as never)).toThrow(
        expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'host' }),
      );
    }
  });

  it.each([
    ['ttl', { cache: { ttl: 0 } }],
    ['ttl', { cache: { ttl: 'soon' } }],
    ['ttl', { cache: {} }],
    ['max', { cache: { ttl: 1, max: 0 } }],
    ['size', { cache: { ttl: 1, size: 5 } }],
    ['options', { cache: true }],
    ['host', { host: 'x-forwarded-host' }],
    ['ttl', { ttl: '30s' }],
    ['options', null],
  ])('are refused a %s that cannot be meant (%#)', (option, options) => {
    expect(() => new TenantsByHost(async () => ({}), options as never)).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', option }),
    );
  });

  it.each([undefined, null, {}])('are refused %p for a resolver', (resolve) => {
    expect(() => new TenantsByHost(resolve as never)).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'resolve' }),
    );
  });
});
