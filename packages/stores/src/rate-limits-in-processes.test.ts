import { type ChildProcess, fork } from 'node:child_process';
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

/** The next message of a child; rejects when it ends without one. */
async function messageOf<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const exited = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`the process ended with code ${code}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message'), exited]);
    return message as T;
  } finally {
    ended.abort();
    exited.catch(() => {
      // It was not to wait for any more, or has been thrown above.
    });
  }
}

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
      const children = Array.from({ length: PROCESSES }, () =>
        fork(CHILD, [], { execArgv: [], serialization: 'advanced' }),
      );
      const task = taskOf(files.config({ maxOpenConns: 4 }));
      try {
        const ended = children.map((child) => once(child, 'close'));
        const ready = children.map((child) => messageOf<string>(child));
        for (const child of children) child.send(task);
        expect(await Promise.all(ready)).toEqual(children.map(() => 'ready'));
        const answers = children.map((child) => messageOf<RateLimitDecision[]>(child));
        for (const child of children) child.send('go');
        const decisions = (await Promise.all(answers)).flat();
        expect(decisions).toHaveLength(CALLS);
        const allowed = decisions.filter((decision) => decision.allowed);
        // Each was told another remainder: none was let pass twice.
        expect(allowed.map(({ remaining }) => remaining).sort((a, b) => a - b)).toEqual([...Array(LIMIT).keys()]);
        expect(await stores.rateLimits.get('shared', '1h')).toMatchObject({ hits: LIMIT });
        expect((await Promise.all(ended)).map(([code]) => code)).toEqual(children.map(() => 0));
      } finally {
        for (const child of children) child.kill();
      }
    });
  });
}
