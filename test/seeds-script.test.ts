import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { namesRow, readRows } from '../scripts/seeds.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const rows = readRows(readFileSync(join(root, 'docs/seeds.md'), 'utf8'));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dbmanager-seeds-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What Jest writes of tests with these titles. */
const results = (tests: Readonly<Record<string, 'passed' | 'failed' | 'pending'>>) => ({
  testResults: [
    {
      name: 'a.test.ts',
      status: 'passed',
      message: '',
      assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
    },
  ],
});

/** Runs the script on results; the rows that it tells something of, with one space between the columns. */
function seeds(report: object) {
  const file = join(folder, 'results.json');
  writeFileSync(file, JSON.stringify(report));
  const { status, stdout } = spawnSync(process.execPath, ['scripts/seeds.js', '--results', file], {
    cwd: root,
    encoding: 'utf8',
  });
  const lines = stdout.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' '));
  return { status, told: lines.filter((line) => /\d (?:passed|failed|skipped)|^error:/.test(line)), stdout };
}

describe('npm run seeds', () => {
  it('has every row of the five documents', () => {
    const counts = [0, 1, 2, 3, 4].map((document) => rows.filter((row) => row.document === `${document}`).length);
    expect(counts).toEqual([13, 8, 6, 9, 23]);
    expect(new Set(rows.map(({ document, feature }) => `${document} ${feature}`)).size).toBe(rows.length);
    for (const { feature, meaning, check } of rows) expect([feature, meaning, check]).not.toContain('');
  });

  it('passes a row by its tests, fails it by one of them, and takes a skipped one for no proof', () => {
    const { status, told, stdout } = seeds(
      results({
        'seeds 4: connect(): opens': 'passed',
        'on sqlite seeds 4: Many ORMs, one pool: one backend': 'passed',
        'on mariadb seeds 4: Many ORMs, one pool: one backend': 'pending',
        'seeds 1: Errors, seeds 3: Error predicates: each': 'passed',
        'seeds 4: Metrics: the names': 'passed',
        'seeds 4: Metrics: the types': 'failed',
        'seeds 4: Tracing: a span': 'pending',
        'no row at all': 'failed',
      }),
    );
    expect(told).toEqual([
      '1 Errors pass 1 passed',
      '3 Error predicates pass 1 passed',
      '4 connect() pass 1 passed',
      '4 Many ORMs, one pool pass 1 passed, 1 skipped',
      '4 Metrics fail 1 passed, 1 failed',
      '4 Tracing not yet 1 skipped',
    ]);
    expect(stdout).toContain(`4 pass, 1 fail, ${rows.length - 5} not yet`);
    expect(status).toBe(1);
  });

  it('exits with 0 when no row fails, though not all pass', () => {
    expect(seeds(results({ 'seeds 4: Tags: by tag': 'passed' })).status).toBe(0);
  });

  it('fails for a title that names no row', () => {
    expect(
      seeds(results({ 'seeds 4: Metric: the names': 'passed', 'seeds 2: Storehouse: x': 'passed' })),
    ).toMatchObject({
      status: 1,
      told: ['error: no row is called so: seeds 4: Metric', 'error: no row is called so: seeds 2: Storehouse'],
    });
  });

  it('runs files that name a row, also where a suite that they import does', () => {
    const files = {
      'naming.test.ts': `it('seeds 4: Tags: by tag');`,
      'suite.ts': `export const suite = () => it('seeds 4: Tags: by tag');`,
      'importing.test.ts': `import { suite } from './suite.js';`,
      'other.test.ts': `import { other } from './other.js';`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const run = Object.keys(files).filter((name) => name.endsWith('.test.ts') && namesRow(join(folder, name)));
    expect(run).toEqual(['naming.test.ts', 'importing.test.ts']);
  });

  it('fails for a file of tests that did not run', () => {
    const report = {
      testResults: [{ name: 'a.test.ts', status: 'failed', message: 'no such module', assertionResults: [] }],
    };
    expect(seeds(report)).toMatchObject({ status: 1, told: ['error: a.test.ts did not run: no such module'] });
  });
});
