import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

/** What each example must print. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'quick-start': [
    'active users, by Knex: Ada, Grace',
    'rows changed in a transaction: 1',
    'rows, by better-sqlite3: {"n":3}',
    'connections open for all of them: 1 of 1',
  ],
};

describe('npm run example', () => {
  it('knows every example, and each is tested here', () => {
    const folders = readdirSync(`${root}examples`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(Object.entries(EXPECTED))('%s prints what it promises', async (name, lines) => {
    const { stdout } = await run(process.execPath, ['scripts/example.js', name], { cwd: root });
    expect(stdout.trim().split('\n')).toEqual(lines);
  });

  it('names the examples there are when asked for another', async () => {
    const failure = await run(process.execPath, ['scripts/example.js', 'quick'], { cwd: root }).catch((error) => error);
    expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining('quick-start') });
  });
});
