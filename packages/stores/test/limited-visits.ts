import { expect } from '@jest/globals';
import type { Visitor } from './http-server.js';

/**
 * Expects of a limiter that lets three requests a minute pass that it says how many are left, in the header `remaining`, and how long
 * to wait.
 */
export async function expectLimitOfThree(visitor: Visitor, remaining: string): Promise<void> {
  const answers = [];
  for (let request = 0; request < 4; request++) answers.push(await visitor.get('/'));
  expect(answers.map(({ status, headers }) => [status, headers.get(remaining)])).toEqual([
    [200, '2'],
    [200, '1'],
    [200, '0'],
    [429, '0'],
  ]);
  const wait = Number(answers.at(-1)?.headers.get('retry-after'));
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(60);
}

/** How many of so many requests at once were let pass. */
export async function passedAtOnce(visitor: Visitor, requests: number): Promise<number> {
  const answers = await Promise.all(Array.from({ length: requests }, () => visitor.get('/')));
  return answers.filter(({ status }) => status === 200).length;
}
