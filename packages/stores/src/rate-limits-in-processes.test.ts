import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type ConnectionConfig, Secret } from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { bridgeTarget, type SqlDatabase } from '../../../test/support/sql-engines.js';
import { STORE_ENGINES } from '../../../test/support/store-engines.js';
import type { RateLimitDecision } from './rate-limits.js';
import { Stores } from './stores.js';

const CHILD = fileURLToPath(new URL('../test/consume-child.js', import.meta.url));
const PROCESSES = 4;
const CALLS = 200;
const LIMIT = 100;

/** What a process of its own is to do, and where. */
function taskOf({ type, options }: ConnectionConfig) {
  const { dsn, ...others } = options as { readonly dsn?: unknown };
  const secret = dsn instanceof Secret ? dsn.reveal() : undefined;
  return { type, options: others, dsn: secret, key: 'shared', limit: LIMIT, calls: CALLS / PROCESSES };
}

/** A process of its own, which waits for tasks. */
class Child {
  readonly #process = fork(CHILD, [], { execArgv: [], serialization: 'advanced' });
  readonly #exit: Promise<readonly unknown[]> = once(this.#process, 'exit');

  send(message: object | string): void {
    this.#process.send(message);
  }

  /** Its next message; rejects when it ends without one. */
  async next<T>(): Promise<T> {
    const exit = this.#exit.then(([code]) => {
      throw new Error(`the process ended with code ${code}`);
    });
    const [message] = await Promise.race([once(this.#process, 'message'), exit]);
    return message as T;
  }

  /** Has no more tasks for it, and gives its exit code. */
  async end(): Promise<unknown> {
    if (this.#process.connected) this.#process.disconnect();
    const [code] = await this.#exit;
    return code;
  }
}

const children: Child[] = [];

beforeAll(() => {
  for (let n = 0; n < PROCESSES; n++) children.push(new Child());
});

afterAll(async () => {
  const codes = await Promise.all(children.map((child) => child.end()));
  expect(codes).toEqual(children.map(() => 0));
});

for (const engine of STORE_ENGINES) {
  engine.describe('seeds 0: Rate limit:', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let stores: Stores;

    beforeAll(async () => {
      files = await engine.create();
      connection = await files.open({});
      const target = bridgeTarget(connection);
      const database = createDatabase(target);
      stores = new Stores({ connectionName: target.name, type: target.type, place: () => database });
      await stores.createTables();
    });
    afterAll(async () => {
      await connection?.close();
      await files?.drop();
    });

    it('200 calls of consume at once, from four processes, to a limit of 100 let exactly 100 pass', async () => {
      const ready = children.map((child) => child.next<string>());
      const task = taskOf(files.config({ maxOpenConns: 4 }));
      for (const child of children) child.send(task);
      expect(await Promise.all(ready)).toEqual(children.map(() => 'ready'));
      const answers = children.map((child) => child.next<RateLimitDecision[]>());
      for (const child of children) child.send('go');
      const decisions = (await Promise.all(answers)).flat();
      expect(decisions).toHaveLength(CALLS);
      // Each that was let pass was told another remainder: none was counted twice.
      const remainders = decisions.filter(({ allowed }) => allowed).map(({ remaining }) => remaining);
      expect(remainders.sort((a, b) => a - b)).toEqual([...Array(LIMIT).keys()]);
      expect(await stores.rateLimits.get('shared', '1h')).toMatchObject({ hits: LIMIT });
    }, 180_000);
  });
}
