/**
 * Four ORMs at once in one process on PostgreSQL: each on its own pool of ten connections, against all of them on one
 * pool of ten. Target: the same throughput at least, with a quarter of the backends.
 */
import { type Comparison, main, type Subject } from './harness.ts';
import type { OpenOrm } from './support/measured-orm.ts';
import { CALLERS, CONNECTIONS, OPERATIONS, type Operation, OrmBench } from './support/orm-bench.ts';
import { ORM_ENGINES } from './support/orm-engines.ts';
import { throughput } from './support/throughput.ts';

const PER_ROUND = 8_000;

const engine = ORM_ENGINES.postgres;
const { four: orms } = engine.orms;

await using bench = await OrmBench.start(engine);
const open = () => Promise.all(orms.map((orm) => orm.own(bench.url, CONNECTIONS)));
const before = await bench.backends();
const alone = await open();
/** Those that these callers have made the four pools open. */
const backendsAlone = (await warmUp(alone.map(({ hands }) => hands))) - before;
const control = await open();
const shared = await Promise.all(orms.map((orm) => orm.shared(bench.connection)));

function subject(
  name: string,
  hands: readonly OpenOrm['hands'][],
  operation: Operation,
  backends: () => number,
): Subject {
  return {
    name,
    extra: () => ({ backends: backends() }),
    round: () =>
      throughput(
        hands.map((each) => () => operation(each)),
        PER_ROUND,
        CALLERS,
      ),
  };
}

/** Has every connection opened that will be; gives the number of backends then. */
async function warmUp(hands: readonly OpenOrm['hands'][]): Promise<number> {
  await throughput(
    hands.map((each) => () => each.balance(1)),
    2_000,
    CALLERS,
  );
  return bench.backends();
}

const comparisons = Object.entries(OPERATIONS).map(
  ([title, operation]): Comparison => ({
    title: `${orms.map(({ name }) => name).join(', ')} at once: ${title}`,
    unit: 'ops/s',
    better: 'higher',
    against: '4 pools of 10',
    rounds: 15,
    cpu: true,
    warmUps: 3,
    subjects: [
      subject(
        '4 pools of 10',
        alone.map(({ hands }) => hands),
        operation,
        () => backendsAlone,
      ),
      subject(
        '4 pools of 10, again (control)',
        control.map(({ hands }) => hands),
        operation,
        () => backendsAlone,
      ),
      subject('one pool of 10', shared, operation, () => bench.connection.stats().pool.open),
    ],
  }),
);

try {
  await main(comparisons);
} finally {
  await Promise.all([...alone, ...control].map((each) => each.close()));
}
