import { expect, it } from '@jest/globals';
import { observers } from './observers.js';
import type { ObservedEngine, StatementObserver } from './statement-observer.js';

const ENGINE: ObservedEngine = { identity: { system: 'test' } };

/** Writes down what it is told; comments where a text is given. */
function recorder(told: unknown[], comment?: string): StatementObserver {
  const observation = () => ({
    end: (rows?: number) => void told.push(['end', rows]),
    fail: (error: unknown, status?: string) => void told.push(['fail', error, status]),
    ...(comment === undefined ? {} : { commented: () => comment }),
  });
  return {
    begin: (...statement) => {
      told.push(statement);
      return observation();
    },
    beginCommand: (...command) => {
      told.push(command);
      return observation();
    },
  };
}

it('nobody is nobody, and one alone is that one', () => {
  expect(observers(undefined, undefined)).toBeUndefined();
  const one = () => undefined;
  expect(observers(undefined, one)).toBe(one);
});

it('each is told of everything, and the first comment counts', () => {
  const [first, second]: [unknown[], unknown[]] = [[], []];
  const observe = observers(
    () => recorder(first),
    () => undefined,
    () => recorder(second, 'commented'),
    () => recorder([], 'too late'),
  );
  const connection = {};
  const observation = observe?.(ENGINE)?.begin('select 1', true, connection);
  expect(observation?.commented?.('traced')).toBe('commented');
  observation?.end(3);
  observe?.(ENGINE)?.beginCommand('find', 'users').fail('why', '42');
  const all = [
    ['select 1', true, connection],
    ['end', 3],
    ['find', 'users'],
    ['fail', 'why', '42'],
  ];
  expect([first, second]).toEqual([all, all]);
});

it('of several of whom one wants to know, it is that one', () => {
  const only = recorder([]);
  expect(
    observers(
      () => undefined,
      () => only,
    )?.(ENGINE),
  ).toBe(only);
  expect(
    observers(
      () => undefined,
      () => undefined,
    )?.(ENGINE),
  ).toBeUndefined();
});
