import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { sampleStatements, sampleStats } from '../../../test/support/sample-stats.js';
import { PrometheusMetrics } from './index.js';

it('docs/metrics.md has every metric with its type, labels and help, and no other', async () => {
  const statements = sampleStatements('SELECT', 'users', 1, 0.001);
  const cache = { hits: 1, misses: 1, evictions: 0, errors: 0, held: { entries: 1, bytes: 100 } };
  const metrics = new PrometheusMetrics({ stats: () => sampleStats({ primary: { statements, cache } }) });
  const expected = (await metrics.registry.getMetricsAsJSON()).map(({ name, type, help, values }) => {
    const labels = Object.keys(values[0]?.labels ?? {}).filter((label) => label !== 'le');
    return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help];
  });
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| `(dbmanager|db_client)_/.test(line));
  const documented = rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(documented).toEqual(expected);
});
