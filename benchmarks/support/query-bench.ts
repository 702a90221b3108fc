import { type Connection, ConnectionManager } from 'dbmanager';
import { type Comparison, main, type Subject } from '../harness.ts';
import { throughput } from './throughput.ts';

/** Connections of every pool, own or managed. */
export const CONNECTIONS = 10;
const CALLERS = [1, 32, 256];

/** What every way to a database is measured by. */
export interface Operations {
  /** Reads the row of that key from `items`. */
  select(id: number): Promise<unknown>;
  /** Adds a row to `log`. */
  insert(item: number): Promise<unknown>;
}

/** Operations on a pool of its own. */
export interface OwnPool extends Operations {
  close(): Promise<unknown>;
}

/** A driver, or a library on one: by itself, and through the manager. */
export interface Way {
  /** For titles: `native`. */
  readonly name: string;
  /** What it is by itself, for the rows: `pg.Pool alone`. */
  readonly alone: string;
  /** On a pool of its own of at most {@link CONNECTIONS}, set up as its documentation shows. */
  own(): Promise<OwnPool> | OwnPool;
  managed(connection: Connection): Operations;
}

/** Ways to one database that are compared. */
export interface QueryBench {
  /** For titles. */
  readonly engine: string;
  /** What the server says it is, for the head of the report. */
  readonly version: string;
  /** The connection as the manager is told of it, without the sizes of its pool. */
  readonly config: { readonly type: string; readonly [key: string]: unknown };
  readonly ways: readonly Way[];
  /** In `items`, with the keys from 1 on. */
  readonly rows: number;
  /** Default 25. */
  readonly rounds?: number;
  /** Of one round; of the single caller a quarter. Default 6000. */
  readonly operations?: number;
}

const OPERATIONS: Readonly<Record<string, (on: Operations, key: number) => Promise<unknown>>> = {
  'select by key': (on, key) => on.select(key),
  insert: (on, key) => on.insert(key),
};

/** Every subject gets the same keys in the same order. */
let next = 0;

/**
 * Select by key and insert, at 1, 32 and 256 callers: each way on its own pool, on a second one like it (the control), and
 * through the manager with metrics off and on.
 */
export async function measureQueries(bench: QueryBench): Promise<void> {
  const managers = { off: managerOf(bench, false), on: managerOf(bench, true) };
  /** With the control of each. */
  const owned = new Map<Way, readonly [OwnPool, OwnPool]>();
  console.log(`${bench.engine}: ${bench.version}\n`);
  try {
    await Promise.all([managers.off.connect(), managers.on.connect()]);
    for (const way of bench.ways) owned.set(way, [await way.own(), await way.own()]);
    await main(
      CALLERS.flatMap((callers) =>
        [...owned].flatMap(([way, pools]) => comparisons(bench, way, pools, managers, callers)),
      ),
    );
  } finally {
    await Promise.all([...[...owned.values()].flat(), managers.off, managers.on].map((each) => each.close()));
  }
}

function managerOf({ config }: QueryBench, metrics: boolean): ConnectionManager {
  const sizes = { max_open_conns: CONNECTIONS, max_idle_conns: CONNECTIONS };
  const manager = ConnectionManager.from({
    connections: { primary: { ...config, ...sizes, enable_metrics: metrics } },
  });
  if (metrics) manager.metrics();
  return manager;
}

function comparisons(
  { engine, rows, rounds = 25, operations: most = 6_000 }: QueryBench,
  { name, alone, managed }: Way,
  [pool, control]: readonly [OwnPool, OwnPool],
  managers: Readonly<Record<'off' | 'on', ConnectionManager>>,
  callers: number,
): Comparison[] {
  const count = callers === 1 ? most / 4 : most;
  const connection = (metrics: 'off' | 'on') => managers[metrics].get('primary');
  return Object.entries(OPERATIONS).map(([title, operation]) => {
    const subject = (subjectName: string, on: Operations, before?: () => Promise<unknown>): Subject => ({
      name: subjectName,
      round: async () => {
        await before?.();
        return throughput([() => operation(on, 1 + (next++ % rows))], count, callers);
      },
    });
    return {
      title: `${engine}, ${name}: ${title}, ${callers} callers`,
      unit: 'ops/s',
      better: 'higher',
      against: alone,
      rounds,
      cpu: true,
      subjects: [
        subject(alone, pool),
        subject(`${alone}, again (control)`, control),
        subject('managed, metrics off', managed(connection('off'))),
        // The scrape that a Prometheus would make comes with every round.
        subject('managed, metrics on', managed(connection('on')), () => managers.on.metrics().scrape()),
      ],
    };
  });
}
