import { expect, it } from '@jest/globals';
import { describeWithPromtool, promtoolComplaints } from '../../../test/support/promtool.js';
import { sampleDurations, sampleStats } from '../../../test/support/sample-stats.js';
import { PrometheusMetrics } from './index.js';

describeWithPromtool('promtool check metrics', () => {
  it('accepts a scrape, awkward names included, but for the lint of the fixed names', async () => {
    const stats = sampleStats({
      primary: { type: 'postgres', healthChecks: sampleDurations(0.0001, 0.3, 99), pool: { waitDurationMs: 1e-7 } },
      'quoted "name" \\ with\nlines': { type: 'sqlite' },
    });
    const metrics = new PrometheusMetrics({ stats: () => stats }, { manager: 'orders' });
    expect(promtoolComplaints(await metrics.scrape())).toEqual([]);
  });

  it('accepts the scrape of a manager without connections', async () => {
    const metrics = new PrometheusMetrics({ stats: () => sampleStats({}) });
    expect(promtoolComplaints(await metrics.scrape())).toEqual([]);
  });

  it('still refuses what is not a fixed name', () => {
    expect(promtoolComplaints('# TYPE dbmanager_wrong counter\ndbmanager_wrong 1\n')).not.toEqual([]);
    expect(promtoolComplaints('dbmanager_broken{ 1\n')).toContainEqual(expect.stringContaining('exited with 1'));
  });
});
