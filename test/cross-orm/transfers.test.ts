import { type Random, seededRandom } from '@dbmanager/core';
import { FaultProxy } from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ALL_SQL_ENGINES, type TestServer } from '../support/sql-engines.js';
import { ACCOUNTS, Bank, OPENING_BALANCE } from './bank.js';
import { ChangeOfMind, type Effect, type Ending, type Mischief, merge, Transfer } from './transfer.js';

/** Given to run a failure again; what the scheduler and the network do in between is not repeated. */
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);
/** How long the transfers go on, on each engine. */
const SECONDS = Number(process.env.TRANSFER_SECONDS ?? 3);
/** For how many more seconds at most, where that was too short to meet with everything. */
const PATIENCE = 30;
const CALLERS = 12;
const IDS_EACH = 1_000;

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('Transfers by every ORM', () => {
    let bank: Bank;
    let chaos: Chaos | undefined;

    beforeEach(async () => {
      chaos = engine.server === undefined ? undefined : await Chaos.prepare(engine.server);
      bank = await Bank.open(engine, { maxOpenConns: 8, validateAfterMs: 100 }, chaos?.proxyPort);
    }, 60_000);

    afterEach(async () => {
      await bank?.close();
      await chaos?.end();
    });

    it(
      `are done or not done, whatever happens meanwhile (SEED=${SEED} TRANSFER_SECONDS=${SECONDS})`,
      async () => {
        const began = performance.now();
        const elapsed = () => (performance.now() - began) / 1_000;
        const mischief: Mischief = chaos ?? { beforeCommit() {}, options: [{}, { readOnly: false }] };
        const endings: Ending[] = [];
        const goesOn = () => elapsed() < (telling(endings) ? SECONDS : SECONDS + PATIENCE);
        const caller = async (_: unknown, index: number) => {
          const random = seededRandom(SEED + index);
          for (let round = 0; goesOn(); round++) {
            const firstId = (round * CALLERS + index) * IDS_EACH;
            endings.push(await new Transfer(bank, random, mischief, firstId).run());
          }
        };
        const havoc = chaos?.begin(bank, seededRandom(SEED - 1));
        await Promise.all(Array.from({ length: CALLERS }, caller));
        chaos?.calm();
        await havoc;
        await bank.idle();
        await verify(bank, endings);
        const outcomes = Object.groupBy(endings, ({ outcome }) => outcome);
        expect(telling(endings)).toBe(true);
        if (chaos === undefined) expect(outcomes.unknown).toBeUndefined();
        else if (SECONDS >= 30) expect(outcomes.unknown?.length).toBeGreaterThan(0);
      },
      (SECONDS + PATIENCE + 60) * 1_000,
    );
  });
}

/** Whether there was what is to be told apart: a slow machine may need more time for that. */
function telling(endings: readonly Ending[]): boolean {
  const changedItsMind = ({ error }: Ending) => error instanceof ChangeOfMind;
  return endings.some(({ outcome }) => outcome === 'committed') && endings.some(changedItsMind);
}

/** What was acknowledged is there, what was rejected is not; what is unknown is there whole or not at all. */
async function verify(bank: Bank, endings: readonly Ending[]): Promise<void> {
  const there = new Set((await bank.outside.entries()).map(({ id }) => id));
  const kept: Effect = { entries: new Set(), deposits: new Map() };
  for (const { outcome, by, effect, attempted, error } of endings) {
    const found = attempted.filter((id) => there.has(id));
    if (found.length > 0 || outcome === 'committed') {
      expect({ outcome, by, error, found }).toEqual({ outcome, by, error, found: [...effect.entries] });
      expect(outcome).not.toBe('rejected');
      merge(effect, kept);
    }
  }
  expect(there).toEqual(kept.entries);
  const balances = await bank.balances();
  expect(balances).toEqual(balances.map((_, index) => OPENING_BALANCE + (kept.deposits.get(index + 1) ?? 0)));
  expect(balances.reduce((sum, balance) => sum + balance)).toBe(ACCOUNTS * OPENING_BALANCE);
}

/** A network that cuts connections, mostly where COMMIT is sent or answered, and an administrator who kills backends. */
class Chaos implements Mischief {
  readonly options = [
    {},
    { retry: 3 },
    { retry: 2, isolation: 'serializable' },
    { isolation: 'repeatable read' },
  ] as const;
  readonly #proxy: FaultProxy;
  readonly #server: TestServer;
  #calm = new AbortController();

  private constructor(proxy: FaultProxy, server: TestServer) {
    this.#proxy = proxy;
    this.#server = server;
  }

  static async prepare(server: TestServer): Promise<Chaos> {
    return new Chaos(await FaultProxy.start(await server.place()), server);
  }

  get proxyPort(): number {
    return this.#proxy.port;
  }

  /** Kills a backend now and then, until it is calm. */
  async begin(bank: Bank, random: Random): Promise<void> {
    if (bank.engine.name === 'postgres') await lookForDeadlocksSoon(bank);
    while (!this.#calm.signal.aborted) {
      await pause(100 + random() * 300, this.#calm.signal);
      const backends = await bank.backends();
      const victim = backends[Math.floor(random() * backends.length)];
      if (victim !== undefined) await bank.execute(this.#server.kill(victim));
    }
  }

  beforeCommit(random: Random): void {
    const choice = random();
    if (this.#calm.signal.aborted || choice > 0.06) return;
    const direction = choice < 0.03 ? this.#proxy.toClient : this.#proxy.toServer;
    // A COMMIT is 11 or 12 bytes long: what is cut may be the whole of it, or half.
    direction.cutAfterBytes = Math.floor(random() * 14);
    direction.cutBy = random() < 0.5 ? 'end' : 'reset';
  }

  calm(): void {
    this.#calm.abort();
    this.#proxy.heal();
  }

  async end(): Promise<void> {
    this.#proxy.close();
    await this.#proxy.untilLive(0);
  }
}

/** By default a second passes before PostgreSQL looks for one, and callers here meet in many. */
async function lookForDeadlocksSoon(bank: Bank): Promise<void> {
  const database = await bank.outside.value('select current_database() as value');
  await bank.execute(`alter database "${database}" set deadlock_timeout = '20ms'`);
  await bank.manager.reconnect('test');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}
