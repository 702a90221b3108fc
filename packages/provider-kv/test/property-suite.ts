import { bytes, type KeyValueReader, type KeyValueStore, type KeyValueTransaction, utf8 } from '@dbmanager/provider-kv';
import { it } from '@jest/globals';
import fc from 'fast-check';
import { all, type StoreFixture, type StoreHome } from './kv-fixture.js';

/** Given by `SEED` to run a failure again; printed with every failure by fast-check. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
type Bytes = Uint8Array;
type Store = KeyValueStore<string, Bytes>;

/** Few keys, so that they meet: bytes at both ends of their range, and one the beginning of another. */
const key = fc.array(fc.constantFrom(0, 1, 0x21, 0x22, 0xfe, 0xff), { maxLength: 3 }).map((list) => Buffer.from(list));
const value = fc.string({ maxLength: 5 }).filter((text) => text.isWellFormed());
const ttlMs = fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined, freq: 2 });
const bound = fc.option(key, { nil: undefined, freq: 1 });
const range = fc.record({
  prefix: fc.option(key, { nil: undefined, freq: 1 }),
  gt: bound,
  gte: bound,
  lt: bound,
  lte: bound,
});
const scan = fc
  .tuple(range, fc.boolean(), fc.option(fc.nat(6), { nil: undefined }))
  .map(([bounds, reverse, limit]) => ({ ...bounds, reverse, limit }));
const write = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('set' as const), key, value, ttlMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
);
const read = fc.oneof(
  fc.record({ do: fc.constant('get' as const), key }),
  fc.record({ do: fc.constant('scan' as const), scan }),
);
const namespace = fc.constantFrom('a', 'b');
const transaction = fc.record({
  do: fc.constant('transaction' as const),
  namespace,
  work: fc.array(fc.oneof(write, read), { maxLength: 8 }),
  /** Others write this after the work of the first attempt, and before its commit. */
  meanwhile: fc.array(write, { maxLength: 2 }),
  fails: fc.boolean(),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), namespace, write }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), namespace, read }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('batch' as const), writes: fc.array(fc.tuple(namespace, write)) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), namespace, range }) },
  { weight: 3, arbitrary: transaction },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
);

type Write = typeof write extends fc.Arbitrary<infer T> ? T : never;
type Read = typeof read extends fc.Arbitrary<infer T> ? T : never;
type Range = typeof range extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Entry = readonly [key: string, value: string];

/** One namespace as it should be: a list to search, in no particular order. */
class Model {
  readonly #entries: Map<string, { readonly key: Bytes; readonly value: string; readonly until: number }>;

  constructor(of?: Model) {
    this.#entries = new Map(of === undefined ? [] : of.#entries);
  }

  write(step: Write, now: number): void {
    const id = hex(step.key);
    if (step.do === 'delete') this.#entries.delete(id);
    else {
      const until = now + (step.ttlMs ?? Number.POSITIVE_INFINITY);
      this.#entries.set(id, { key: step.key, value: step.value, until });
    }
  }

  clear(bounds: Range): void {
    for (const [id, entry] of this.#entries) if (isWithin(entry.key, bounds)) this.#entries.delete(id);
  }

  read(step: Read, now: number): unknown {
    if (step.do === 'get') {
      const entry = this.#entries.get(hex(step.key));
      return entry !== undefined && entry.until > now ? entry.value : undefined;
    }
    const { reverse, limit, ...bounds } = step.scan;
    const found = [...this.#entries.values()].filter((entry) => entry.until > now && isWithin(entry.key, bounds));
    found.sort((a, b) => Buffer.compare(a.key, b.key) * (reverse ? -1 : 1));
    return found.slice(0, limit).map((entry): Entry => [hex(entry.key), entry.value]);
  }
}

function isWithin(key: Bytes, { prefix, gt, gte, lt, lte }: Range): boolean {
  return (
    (prefix === undefined || Buffer.compare(key.subarray(0, prefix.length), prefix) === 0) &&
    (gt === undefined || Buffer.compare(key, gt) > 0) &&
    (gte === undefined || Buffer.compare(key, gte) >= 0) &&
    (lt === undefined || Buffer.compare(key, lt) < 0) &&
    (lte === undefined || Buffer.compare(key, lte) <= 0)
  );
}

const hex = (bytes: Bytes) => Buffer.from(bytes).toString('hex');
const EVERYTHING: Read = {
  do: 'scan',
  scan: {
    prefix: undefined,
    gt: undefined,
    gte: undefined,
    lt: undefined,
    lte: undefined,
    reverse: false,
    limit: undefined,
  },
};

async function readOf(reader: KeyValueReader<string, Bytes>, step: Read): Promise<unknown> {
  if (step.do === 'get') return reader.get(step.key);
  return (await all(reader.scan(step.scan))).map(([found, text]): Entry => [hex(found), text]);
}

function same(found: unknown, expected: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(expected)) return;
  throw new Error(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
}

/** A database and its model, side by side. */
class Comparison {
  #fixture: StoreFixture;
  readonly #models = { a: new Model(), b: new Model() };
  #now = 0;

  private constructor(fixture: StoreFixture) {
    this.#fixture = fixture;
  }

  static async run(fixture: StoreFixture, steps: readonly Step[]): Promise<void> {
    const comparison = new Comparison(fixture);
    try {
      for (const each of steps) await comparison.#step(each);
      for (const name of ['a', 'b'] as const) {
        same(
          await readOf(comparison.#store(name), EVERYTHING),
          comparison.#models[name].read(EVERYTHING, comparison.#now),
        );
      }
    } finally {
      await comparison.#fixture[Symbol.asyncDispose]();
    }
  }

  #store(namespace: string): Store {
    return this.#fixture.store({ namespace, values: utf8, keys: bytes });
  }

  async #step(each: Step): Promise<void> {
    switch (each.do) {
      case 'write':
        this.#models[each.namespace].write(each.write, this.#now);
        return this.#write(this.#store(each.namespace), each.write);
      case 'read':
        return same(
          await readOf(this.#store(each.namespace), each.read),
          this.#models[each.namespace].read(each.read, this.#now),
        );
      case 'batch':
        return this.#batch(each.writes);
      case 'clear':
        this.#models[each.namespace].clear(each.range);
        return this.#store(each.namespace).clear(each.range);
      case 'transaction':
        return this.#transaction(each);
      case 'pass':
        this.#now += each.ms;
        return this.#fixture.pass(each.ms);
      case 'reopen':
        this.#fixture = await this.#fixture.reopened();
        return;
      case 'snapshot':
        return this.#snapshot();
    }
  }

  #write(target: Store, { key, ...step }: Write): Promise<void> {
    return step.do === 'set' ? target.set(key, step.value, { ttlMs: step.ttlMs }) : target.delete(key);
  }

  async #batch(writes: readonly (readonly ['a' | 'b', Write])[]): Promise<void> {
    const batch = this.#store('a').batch();
    const other = batch.namespace({ namespace: 'b', values: utf8, keys: bytes });
    for (const [name, step] of writes) {
      const target = name === 'a' ? batch : other;
      if (step.do === 'set') target.set(step.key, step.value, { ttlMs: step.ttlMs });
      else target.delete(step.key);
      this.#models[name].write(step, this.#now);
    }
    await batch.write();
  }

  /** Must see its own writes on its snapshot, and be as if it had happened at one moment, after `meanwhile` or before. */
  async #transaction({ namespace: name, work, meanwhile, fails }: Extract<Step, { do: 'transaction' }>): Promise<void> {
    const gaveUp = new Error('gave up');
    const store = this.#store(name);
    let attempts = 0;
    const done = store.transaction(async (tx: KeyValueTransaction<string, Bytes>) => {
      attempts++;
      const own = new Model(this.#models[name]);
      for (const each of work) {
        if (each.do === 'get' || each.do === 'scan') {
          same(await readOf(tx, each), own.read(each, this.#now));
          continue;
        }
        own.write(each, this.#now);
        if (each.do === 'set') tx.set(each.key, each.value, { ttlMs: each.ttlMs });
        else tx.delete(each.key);
      }
      if (attempts === 1) {
        for (const each of meanwhile) {
          await this.#write(store, each);
          this.#models[name].write(each, this.#now);
        }
      }
      if (fails) throw gaveUp;
    });
    await done.catch((error: unknown) => {
      if (error !== gaveUp) throw error;
    });
    if (attempts > 2) throw new Error(`${attempts} attempts, although nobody came in between the last two`);
    if (fails) return;
    // What it read is as it was after `meanwhile`, or else it was repeated: its writes come last.
    for (const each of work) if (each.do === 'set' || each.do === 'delete') this.#models[name].write(each, this.#now);
  }

  async #snapshot(): Promise<void> {
    await using snapshot = await this.#store('a').snapshot();
    const then = new Model(this.#models.a);
    const gone: Write = { do: 'delete', key: Buffer.of(0) };
    await this.#write(this.#store('a'), gone);
    this.#models.a.write(gone, this.#now);
    same(await readOf(snapshot, EVERYTHING), then.read(EVERYTHING, this.#now));
  }
}

/** Random steps on a store and on a simple model of it, so many runs of them. `RUNS` says otherwise. */
export function propertySuite(title: string, { describe: where, open }: StoreHome, usual: number): void {
  const runs = Number(process.env.RUNS ?? usual);
  where(title, () => {
    it(`does what a simple model does (seed ${seed})`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => Comparison.run(await open(), steps)),
        { seed, numRuns: runs },
      );
    }, 120_000);

    it(`makes transactions that run side by side serialisable (seed ${seed})`, async () => {
      const names = fc.constantFrom('x', 'y', 'z');
      const sum = fc.record({ reads: fc.uniqueArray(names, { minLength: 1 }), writes: names });
      const sums = fc.array(sum, { minLength: 2, maxLength: 5 });
      type Sum = { readonly reads: readonly string[]; readonly writes: string };

      /** What each gives, and what there is in the end, when they run in this order. */
      const outcomeOf = (order: readonly (readonly [number, Sum])[]) => {
        const kept = new Map<string, number>();
        const results: number[] = [];
        for (const [index, { reads, writes }] of order) {
          const total = reads.reduce((so, name) => so + (kept.get(name) ?? 0), index + 1);
          kept.set(writes, total);
          results[index] = total;
        }
        return JSON.stringify([results, [...kept].sort()]);
      };

      const property = fc.asyncProperty(sums, async (work) => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const results = await Promise.all(
          work.map(({ reads, writes }, index) =>
            store.transaction({ retry: 1_000 }, async (tx) => {
              let total = index + 1;
              for (const name of reads) total += (await tx.get(name)) ?? 0;
              tx.set(writes, total);
              return total;
            }),
          ),
        );
        const found = JSON.stringify([results, await all(store.scan())]);
        const orders = permutations([...work.entries()]);
        if (!orders.some((order) => outcomeOf(order) === found)) throw new Error(`no order gives ${found}`);
      });
      await fc.assert(property, { seed, numRuns: runs });
    }, 120_000);
  });
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, index) =>
    permutations(items.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  );
}
