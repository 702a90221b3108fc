/**
 * Each ORM on a pool of its own against the same ORM on the shared pool, ten connections each and fifty callers, on
 * PostgreSQL and MariaDB (`--engine NAME`: on one of them). A second pool of the ORM's own beside it is the control: what it
 * differs by is noise. Target: 0.97.
 */
import { type Comparison, main } from './harness.ts';
import type { OpenOrm } from './support/measured-orm.ts';
import { CALLERS, CONNECTIONS, OPERATIONS, OrmBench } from './support/orm-bench.ts';
import { ORM_ENGINES } from './support/orm-engines.ts';
import { throughput } from './support/throughput.ts';
import { wantedEngines } from './support/wanted-engines.ts';

const PER_ROUND = 6_000;

await using opened = new AsyncDisposableStack();
const comparisons: Comparison[] = [];

for (const engine of wantedEngines(Object.values(ORM_ENGINES))) {
  const bench = opened.use(await OrmBench.start(engine));
  for (const orm of engine.orms.all) {
    const own = async () =>
      opened.adopt(await orm.own(bench.url, CONNECTIONS), async (each) => void (await each.close()));
    const [alone, control] = [await own(), await own()];
    const shared = await orm.shared(bench.connection);
    const unmeasured = await orm.shared(bench.unmeasured);
    for (const [title, operation] of Object.entries(OPERATIONS)) {
      const subject = (name: string, { hands }: Pick<OpenOrm, 'hands'>) => ({
        name,
        round: () => throughput([() => operation(hands)], PER_ROUND, CALLERS),
      });
      comparisons.push({
        title: `${engine.title}, ${orm.name}: ${title}`,
        unit: 'ops/s',
        better: 'higher',
        against: 'its own pool',
        rounds: 15,
        cpu: true,
        // The compilers settle late: what a door does for one statement is some ten thousand lines.
        warmUps: 4,
        subjects: [
          subject('its own pool', alone),
          subject('its own pool, again (control)', control),
          // By itself no ORM counts its statements.
          subject('the shared pool, metrics off', { hands: unmeasured }),
          subject('the shared pool, metrics on', { hands: shared }),
        ],
      });
    }
  }
}

await main(comparisons);
