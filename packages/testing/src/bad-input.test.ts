import type { AnyProvider } from '@dbmanager/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PROVIDERS } from 'dbmanager';
import { Faults, withFaults } from './faults.js';
import { fillPool } from './full-pool.js';
import { MockDatabase } from './mock-database.js';
import { type TestManager, testManager } from './test-manager.js';
import { TestTransaction, transactionPerTest } from './test-transaction.js';

/** As a test without types writes it. */
const wrong = <T>(value: unknown): T => value as T;
const on = () => new MockDatabase().on(/users/);
const hooks = { beforeEach: () => undefined, afterEach: () => undefined };

/** What is written, what writes it, and the option that the error names. */
const CALLS: readonly (readonly [what: string, call: () => unknown, option: string])[] = [
  ['a file in place of options, for testManager', () => testManager(wrong('dbmanager.yaml')), 'options'],
  ['an option that testManager has not', () => testManager(wrong({ scheme: 'create table t (a int)' })), 'scheme'],
  ['a URL for the file', () => testManager({ fromConfig: wrong(new URL(import.meta.url)) }), 'fromConfig'],
  ['a type for on', () => testManager({ on: wrong('postgres') }), 'on'],
  ['a text for readers', () => testManager({ readers: wrong('false') }), 'readers'],
  ['a text for ambientTransactions', () => testManager({ ambientTransactions: wrong('no') }), 'ambientTransactions'],
  ['a list of connections', () => testManager({ connections: wrong(['main']) }), 'connections'],
  ['nothing for the keys of a connection', () => testManager({ connections: wrong({ main: null }) }), 'connections'],
  ['a type for a connection in memory', () => testManager({ connections: { main: { type: 'postgres' } } }), 'type'],
  ['a file for a connection in memory', () => testManager({ connections: { main: { filepath: 'a.db' } } }), 'filepath'],
  ['a number for the schema', () => testManager({ schema: wrong(5) }), 'schema'],
  ['a schema without its folder', () => testManager({ schema: wrong({ migration: 'folder' }) }), 'schema'],
  ['a type in place of the options of a mock', () => new MockDatabase(wrong('postgres')), 'options'],
  ['an option that a mock has not', () => new MockDatabase(wrong({ typ: 'postgres' })), 'typ'],
  ['an empty type of a mock', () => new MockDatabase({ type: '' }), 'type'],
  ['a type of a mock that has no SQL', () => new MockDatabase({ type: 'kv' }), 'type'],
  ['a text for ordered', () => new MockDatabase({ ordered: wrong('yes') }), 'ordered'],
  ['another word for unexpected', () => new MockDatabase({ unexpected: wrong('allow') }), 'unexpected'],
  ['no statement to expect', () => new MockDatabase().on(wrong(undefined)), 'pattern'],
  ['one row for rows', () => on().rows(wrong({ id: 1 })), 'rows'],
  ['rows without names of columns', () => on().rows(wrong([[1]])), 'rows'],
  ['a text for the rows that are affected', () => on().affects(wrong('1')), 'rowsAffected'],
  ['a text for the last id', () => on().affects(1, wrong('7')), 'lastInsertId'],
  ['a code that there is not', () => on().fails(wrong('DBM_UNIQE_VIOLATION')), 'error'],
  ['nothing to fail with', () => on().fails(wrong(undefined)), 'error'],
  ['a text for a delay', () => on().delays(wrong('50ms')), 'delays'],
  ['a delay that is no number', () => on().delays(Number.NaN), 'delays'],
  ['an expectation of no times', () => on().times(0), 'times'],
  ['the name of a provider', () => withFaults(wrong('sqlite')), 'provider'],
  ['no provider', () => withFaults(wrong(undefined)), 'provider'],
  ['an option that withFaults has not', () => withFaults(sqlite(), wrong({ seed: 1 })), 'seed'],
  ['a text for a crash', () => new Faults().crashAt(wrong('commit')), 'at'],
  ['a crash at statement 0', () => new Faults().crashAt(0), 'at'],
  ['a loss at half a statement', () => new Faults().loseConnectionAt(1.5), 'nth'],
  ['true for a failing COMMIT', () => new Faults().failCommit(wrong(true)), 'options'],
  ['a text for applied', () => new Faults().failCommit({ applied: wrong('no') }), 'applied'],
  ['less than one refusal', () => new Faults().refuseConnects(-1), 'times'],
  ['a text to refuse with', () => new Faults().refuseConnects(1, wrong('refused')), 'error'],
  ['a slowness of less than nothing', () => Object.assign(new Faults(), { statementDelayMs: -1 }), 'statementDelayMs'],
  ['a text for a slowness', () => Object.assign(new Faults(), { connectDelayMs: '5' }), 'connectDelayMs'],
  ['a manager for the pool to fill', () => fillPool(wrong(manager)), 'connection'],
  ['a number for the options of fillPool', () => fillPool(manager.getDefault(), wrong(1)), 'options'],
  ['the name of a connection for tests', () => transactionPerTest(wrong('main'), { hooks }), 'connection'],
  ['an option of tests that there is not', () => transactionPerTest(main, wrong({ hook: hooks })), 'hook'],
  ['another word for outside', () => transactionPerTest(main, { hooks, outside: wrong('ignore') }), 'outside'],
  ['half of the hooks', () => transactionPerTest(main, { hooks: wrong({ beforeEach: () => undefined }) }), 'hooks'],
  ['what gives a manager to a test', () => new TestTransaction(() => wrong(manager), 'refuse').begin(), 'connection'],
  [
    'what gives a promise to a test',
    () =>
      new TestTransaction(
        wrong(async () => main()),
        'refuse',
      ).begin(),
    'connection',
  ],
];

let manager: TestManager;
const main = () => manager.getDefault();
const sqlite = () => PROVIDERS.find(({ type }) => type === 'sqlite') as AnyProvider;

describe('what a test has written wrong', () => {
  beforeAll(async () => {
    manager = await testManager();
  });
  afterAll(() => manager.close());

  it.each(CALLS)('is refused: %s', async (_, call, option) => {
    const outcome = await Promise.resolve()
      .then(call)
      .catch((error: unknown) => error);
    if (outcome instanceof Object && Symbol.asyncDispose in outcome)
      await (outcome as AsyncDisposable)[Symbol.asyncDispose]();
    expect(outcome).toMatchObject({ code: 'DBM_INVALID_OPTION', option });
  });

  it('is shown what was probably meant', () => {
    expect(() => on().fails(wrong('DBM_UNIQE_VIOLATION'))).toThrow('did you mean "DBM_UNIQUE_VIOLATION"?');
  });
});
