import { seededRandom } from '@dbmanager/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ALL_SQL_ENGINES, rejection } from '../support/sql-engines.js';
import { Bank, entry } from './bank.js';
import type { Hands } from './hands.js';
import { participantsOn } from './participants.js';

const TASKS = 200;
const MAX_OPEN = 8;
/** Given to run a failure again. */
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** What some task did that can be seen afterwards. */
interface Done {
  readonly entries: number;
  readonly deposited: number;
}

const NOTHING: Done = { entries: 0, deposited: 0 };

for (const engine of ALL_SQL_ENGINES) {
  const PARTICIPANTS = participantsOn(engine);

  engine.describe('seeds 4: Many ORMs, one pool: A crowd of ORMs on one pool', () => {
    let bank: Bank;
    let nextId = 1;

    /** Each of these takes a connection for as long as it runs. */
    const TASK_KINDS: readonly ((name: string, other: string) => Promise<Done>)[] = [
      async (name) => {
        await hands(name).insert(entry(nextId++, name));
        return { entries: 1, deposited: 0 };
      },
      async (name) => {
        await hands(name).entries();
        return NOTHING;
      },
      async (name) => {
        await hands(name).deposit(1, 1);
        return { entries: 0, deposited: 1 };
      },
      (name) =>
        hands(name).transaction(async (own) => {
          await own.insert(entry(nextId++, name));
          await own.deposit(1, 2);
          return { entries: 1, deposited: 2 };
        }),
      async (name) => {
        const work = hands(name).transaction(async (own) => {
          await own.insert(entry(nextId++, 'undone'));
          throw new Error('undone');
        });
        await expect(rejection(work)).resolves.toMatchObject({ message: 'undone' });
        return NOTHING;
      },
      (name, other) =>
        bank.connection.transaction(async (tx) => {
          const [first, second] = [name, other].map((each) => participant(each).bind(tx)) as [Hands, Hands];
          await first.insert(entry(nextId++, name));
          await second.deposit(1, 3);
          const nested = first.transaction(async (inner) => {
            await inner.insert(entry(nextId++, 'undone'));
            throw new Error('undone');
          });
          await expect(rejection(nested)).resolves.toMatchObject({ message: 'undone' });
          return { entries: 1, deposited: 3 };
        }),
    ];

    const hands = (name: string) => bank.open.get(name)?.hands as Hands;
    const participant = (name: string) => PARTICIPANTS.find((each) => each.name === name) as (typeof PARTICIPANTS)[0];

    /** Many tasks at once by these ORMs; then what they have done is there, and nothing else. */
    async function crowd(names: readonly string[], tasks: number, seed: number): Promise<void> {
      const random = seededRandom(seed);
      const oneOf = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
      await bank.reset();
      const running = Array.from({ length: tasks }, () => oneOf(TASK_KINDS)(oneOf(names), oneOf(names)));
      const done = await Promise.all(running);
      const total = (what: keyof Done) => done.reduce((sum, each) => sum + each[what], 0);
      const seen = await bank.seen();
      expect(seen).toHaveLength(total('entries'));
      expect(seen).not.toContain('undone');
      await expect(bank.outside.balance(1)).resolves.toBe(1_000 + total('deposited'));
      await bank.idle();
    }

    beforeAll(async () => {
      bank = await Bank.open(engine, { maxOpenConns: MAX_OPEN, acquireTimeoutMs: 60_000 });
    }, 60_000);

    afterAll(async () => {
      await bank?.close();
    });

    const names = PARTICIPANTS.map(({ name }) => name);

    it(`of ${TASKS} tasks at once never has more than max_open_conns backends and one (SEED=${SEED})`, async () => {
      const watch = engine.server === undefined ? undefined : new BackendWatch(bank);
      watch?.start();
      await crowd(names, TASKS, SEED);
      const samples = (await watch?.stop()) ?? [bank.connection.stats().pool.open];
      expect(samples.length).toBeGreaterThan(watch === undefined ? 0 : 5);
      expect(Math.max(...samples)).toBeLessThanOrEqual(MAX_OPEN + 1);
      expect(Math.max(...samples)).toBeGreaterThan(1);
      expect(bank.connection.stats().pool.open).toBeLessThanOrEqual(MAX_OPEN);
    }, 60_000);

    it(`goes on when the ORMs leave one by one, under way as the rest are (SEED=${SEED})`, async () => {
      for (const [index, name] of names.entries()) {
        const rest = names.slice(index + 1);
        const working = rest.length === 0 ? undefined : crowd(rest, 40, SEED + index);
        await bank.open.get(name)?.close();
        await working;
      }
      await expect(bank.connection.database().query('select 1 as one')).resolves.toEqual([{ one: 1 }]);
    }, 60_000);
  });
}

/** Counts the backends of a bank's database again and again, from outside. */
class BackendWatch {
  readonly #bank: Bank;
  readonly #samples: number[] = [];
  #watching = false;
  #running: Promise<void> | undefined;

  constructor(bank: Bank) {
    this.#bank = bank;
  }

  start(): void {
    this.#watching = true;
    this.#running = this.#sample();
  }

  /** Every number of backends that was counted, that of outside left out. */
  async stop(): Promise<readonly number[]> {
    this.#watching = false;
    await this.#running;
    return this.#samples;
  }

  async #sample(): Promise<void> {
    while (this.#watching) this.#samples.push((await this.#bank.backends()).length);
  }
}
