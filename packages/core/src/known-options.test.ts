import { describe, expect, it } from '@jest/globals';
import { DbManagerError } from './errors.js';
import { checkSignal, KnownOptions } from './known-options.js';

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
}

const OPTIONS = new KnownOptions<Options>('a statement', { signal: true, timeout: true });

/** What callers without types may give. */
function refusal(options: unknown): unknown {
  try {
    OPTIONS.check(options as object, 'primary');
  } catch (error) {
    return error;
  }
  return undefined;
}

const refused = (option: string) =>
  expect.objectContaining({ code: 'DBM_INVALID_OPTION', option, connectionName: 'primary' });

describe('KnownOptions', () => {
  it.each<[what: string, options: Options]>([
    ['none', {}],
    ['all that there are', { signal: new AbortController().signal, timeout: 1 }],
    ['one that is left out by its value', { signal: undefined }],
    ['a signal that has been aborted', { signal: AbortSignal.abort() }],
    ['a signal of several', { signal: AbortSignal.any([AbortSignal.abort()]) }],
    ['an object without a prototype', Object.assign(Object.create(null), { timeout: 1 })],
  ])('take %s', (_what, options) => {
    expect(refusal(options)).toBeUndefined();
  });

  it.each<[what: string, options: unknown, option: string]>([
    ['a name that there is not', { timeoutt: 5 }, 'timeoutt'],
    ['one that it has from its prototype', Object.create({ timeoutt: 5 }), 'timeoutt'],
    ['one without a value', { retries: undefined }, 'retries'],
    ['a controller for its signal', { signal: new AbortController() }, 'signal'],
    ['null for a signal', { signal: null }, 'signal'],
    ['what only looks like a signal', { signal: { aborted: false, addEventListener() {} } }, 'signal'],
    ['null', null, 'options'],
    ['a text', '5s', 'options'],
    ['a function', () => {}, 'options'],
    ['an array', [], 'options'],
    ['a number', 5, 'options'],
  ])('refuse %s', (_what, options, option) => {
    expect(refusal(options)).toEqual(refused(option));
  });

  it('say which there are, and which was probably meant', () => {
    const { message } = refusal({ timeoutt: 5 }) as Error;
    expect(message).toContain('a statement has no option "timeoutt", only signal, timeout; did you mean "timeout"?');
  });

  it('hold a signal alone to the same', () => {
    expect(() => checkSignal(new AbortController().signal, 'primary')).not.toThrow();
    for (const none of [undefined, null, 5, new AbortController(), new EventTarget()]) {
      expect(() => checkSignal(none, 'primary')).toThrow(DbManagerError);
    }
  });
});
