/**
 * Each ORM on a pool of its own against the same ORM on the shared pool, ten connections each and fifty callers, on
 * PostgreSQL. A second pool of the ORM's own beside it is the control: what it differs by is noise. Target: 0.97.
 */
import { type Comparison, main } from './harness.ts';
import { CONNECTIONS, OPERATIONS, OrmBench, throughput } from './support/orm-bench.ts';
import { MEASURED_ORMS, type OpenOrm } from './support/own-orms.ts';

const PER_ROUND = 4_000;

await using bench = await OrmBench.start();
const own: OpenOrm[] = [];
const comparisons: Comparison[] = [];

for (const orm of MEASURED_ORMS) {
  const alone = await orm.own(bench.url, CONNECTIONS);
  const control = await orm.own(bench.url, CONNECTIONS);
  own.push(alone, control);
  const shared = await orm.shared(bench.connection);
  for (const [title, operation] of Object.entries(OPERATIONS)) {
    const subject = (name: string, { hands }: Pick<OpenOrm, 'hands'>) => ({
      name,
      round: () => throughput([() => operation(hands)], PER_ROUND),
    });
    comparisons.push({
      title: `${orm.name}: ${title}`,
      unit: 'ops/s',
      better: 'higher',
      against: 'its own pool',
      rounds: 9,
      subjects: [
        subject('its own pool', alone),
        subject('its own pool again (control)', control),
        subject('the shared pool', { hands: shared }),
      ],
    });
  }
}

try {
  await main(comparisons);
} finally {
  await Promise.all(own.map((each) => each.close()));
}
