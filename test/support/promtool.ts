import { spawnSync } from 'node:child_process';
import { describe } from '@jest/globals';

const missing = spawnSync('promtool', ['--version']).error !== undefined;

/**
 * `describe` for tests that run promtool (Debian's package `prometheus`). Without it they are skipped on a laptop, saying
 * so, and fail in CI.
 */
export const describeWithPromtool: typeof describe | typeof describe.skip =
  missing && process.env.CI === undefined ? skipped() : describe;

/** The lint that names fixed by the document and by OpenTelemetry cannot avoid, line by line; see docs/metrics.md. */
const ACCEPTED_LINT: ReadonlySet<string> = new Set([
  'db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix',
  'dbmanager_connection_wait_count counter metrics should have "_total" suffix',
  'dbmanager_connection_wait_count non-histogram and non-summary metrics should not have "_count" suffix',
  'dbmanager_connection_wait_duration_seconds counter metrics should have "_total" suffix',
  'dbmanager_connections_total non-counter metrics should not have "_total" suffix',
]);

/** What `promtool check metrics` says against a scrape, but for {@link ACCEPTED_LINT}. */
export function promtoolComplaints(scrape: string): string[] {
  const { status, stderr, error } = spawnSync('promtool', ['check', 'metrics'], { input: scrape, encoding: 'utf8' });
  if (error !== undefined) throw new Error('promtool is needed: apt-get install prometheus', { cause: error });
  const complaints = stderr.split('\n').filter((line) => line !== '' && !ACCEPTED_LINT.has(line));
  // 3 is "lint only"; with any other failure nothing is forgiven.
  if (status !== 0 && status !== 3) complaints.push(`promtool exited with ${status}`);
  return complaints;
}

function skipped(): typeof describe.skip {
  console.warn('promtool is not installed (Debian: apt-get install prometheus): its checks are skipped');
  return describe.skip;
}
