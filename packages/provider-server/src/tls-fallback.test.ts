import { beforeEach, describe, expect, it } from '@jest/globals';
import { TlsFallback } from './tls-fallback.js';

const NO_TLS = new Error('no TLS');
const CLOSED = new Error('closed');
const REFUSED = new Error('refused');
const TLS = { tls: true };
const PREFER = [TLS, false] as const;

describe('the choices of TLS', () => {
  const place = {};
  let fallback: TlsFallback<object>;
  let tried: unknown[];
  let abort: AbortController;

  beforeEach(() => {
    tried = [];
    abort = new AbortController();
    fallback = new TlsFallback({
      isTlsFailure: (error) => error === NO_TLS,
      mayBeTls: (error) => error === NO_TLS || error === CLOSED,
    });
  });

  /** Connects by `choices` where TLS fails with `failure`. */
  const connect = (choices: readonly (typeof TLS | false)[], failure: Error, where: object = place) =>
    fallback.connect(where, choices, abort.signal, async (tls) => {
      tried.push(tls);
      if (tls !== false) throw failure;
      return 'plain';
    });

  it('are taken in their order, and a place without TLS is remembered, for itself alone', async () => {
    expect(await connect(PREFER, NO_TLS)).toBe('plain');
    expect(await connect(PREFER, NO_TLS)).toBe('plain');
    expect(tried).toEqual([TLS, false, false]);
    await connect(PREFER, NO_TLS, {});
    expect(tried.slice(3)).toEqual([TLS, false]);
  });

  it('are tried anew after a failure that may have had another reason', async () => {
    await connect(PREFER, CLOSED);
    await connect(PREFER, CLOSED);
    expect(tried).toEqual([TLS, false, TLS, false]);
  });

  it('end with an error that no other choice mends, with the last choice, and with the abort', async () => {
    await expect(connect(PREFER, REFUSED)).rejects.toBe(REFUSED);
    await expect(connect([TLS], NO_TLS)).rejects.toBe(NO_TLS);
    abort.abort();
    await expect(connect(PREFER, NO_TLS)).rejects.toBe(NO_TLS);
    expect(tried).toEqual([TLS, TLS, TLS]);
  });
});
