import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

const run = promisify(execFile);
const fixture = fileURLToPath(new URL('../fixture/', import.meta.url));
/** Runners start processes of their own, which takes its time on a busy machine. */
const TIMEOUT_MS = 240_000;
const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url));

/** How the project of fixture/ is tested by each runner, on the packages as they are built. */
const RUNNERS: Readonly<Record<string, readonly string[]>> = {
  'node:test': ['--test', '--test-reporter=tap', 'users.node-test.js'],
  Vitest: [`${modules}vitest/vitest.mjs`, 'run', '--maxWorkers=1'],
  Jest: ['--experimental-vm-modules', '--no-warnings', `${modules}jest/bin/jest.js`, '--runInBand'],
};

describe.each(Object.entries(RUNNERS))('transactionPerTest under %s', (_, args) => {
  const test = (env: Readonly<Record<string, string>>) =>
    run(process.execPath, args, { cwd: fixture, env: childEnv(env) });

  it(
    'lets each test find an empty table',
    async () => {
      const { stdout, stderr } = await test({});
      expect(`${stdout}${stderr}`).toMatch(/# pass 3|Tests +3 passed|Tests: +3 passed/);
    },
    TIMEOUT_MS,
  );

  it(
    'is what makes it so',
    async () => {
      const failure = await test({ WITHOUT_ROLLBACK: '1' }).catch((error: unknown) => error);
      const { stdout, stderr } = failure as { readonly stdout: string; readonly stderr: string };
      expect(`${stdout}${stderr}`).toMatch(/# pass 1\n# fail 2|Tests +2 failed \| 1 passed|Tests: +2 failed, 1 passed/);
    },
    TIMEOUT_MS,
  );
});

/** Without what Jest, and node:test, tell the processes that they start themselves. */
function childEnv(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { JEST_WORKER_ID: _id, NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...rest } = process.env;
  return { ...rest, NO_COLOR: '1', ...env };
}
