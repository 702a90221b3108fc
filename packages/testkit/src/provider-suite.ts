import { aloneTests } from './suite/alone-tests.js';
import { lifecycleTests } from './suite/lifecycle-tests.js';
import { nativeTests } from './suite/native-tests.js';
import { statementTests } from './suite/statement-tests.js';
import type { ProviderSuiteSetup, SuiteRunner } from './suite/suite-setup.js';
import { transactionTests } from './suite/transaction-tests.js';

/**
 * Registers the tests that every provider must pass, ours or a third party's, chosen by the capabilities it declares.
 * They hold the provider against the contracts of `@dbmanager/core` (`Provider`, `ConnectionFactory`, `SqlSession`),
 * on the real pool. Call it at the top of a test file:
 *
 * ```ts
 * runProviderSuite({
 *   name: 'sqlite',
 *   provider: sqliteProvider,
 *   connection: () => ({ filepath: ':memory:' }),
 *   capabilities: { sql: true, savepoints: true, native: true },
 * });
 * ```
 */
export function runProviderSuite<C, O extends object>(setup: ProviderSuiteSetup<C, O>): void {
  const runner = setup.runner ?? globalRunner();
  runner.describe(`provider suite: ${setup.name}`, () => {
    runner.describe('life', () => lifecycleTests(setup, runner));
    if (setup.capabilities.sql) {
      runner.describe('statements', () => statementTests(setup, runner));
      runner.describe('a statement by itself', () => aloneTests(setup, runner));
      runner.describe('transactions', () => transactionTests(setup, runner));
    }
    if (setup.capabilities.native) runner.describe('native handle', () => nativeTests(setup, runner));
  });
}

function globalRunner(): SuiteRunner {
  const { describe, it } = globalThis as Partial<SuiteRunner>;
  if (describe === undefined || it === undefined) {
    throw new TypeError('there are no global describe and it here; pass a runner: runProviderSuite({ …, runner })');
  }
  return { describe, it };
}
