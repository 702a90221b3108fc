import {
  type AnyProvider,
  DbManagerError,
  KnownOptions,
  type LeaseSource,
  type Statement,
  type StatementOptions,
} from '@dbmanager/core';
import { type FakeDatabase, FakeProvider } from '@dbmanager/testkit';
import { PROVIDERS } from 'dbmanager';
import { assertFlag, assertOneOf, invalid } from './checks.js';
import { Faults } from './faults.js';
import { interceptedProvider } from './intercepted-provider.js';
import type { Interceptor, Verdict } from './interceptor.js';
import type { MockExpectation } from './mock-expectation.js';
import { MockScript, type MockScriptOptions } from './mock-script.js';
import { overlay } from './overlay.js';

/** What a {@link MockDatabase} is. */
export interface MockDatabaseOptions extends MockScriptOptions {
  /** The `type` of the connections that it answers for, whose keys and placeholders it has. Default: `mock`, with `?`. */
  readonly type?: string;
}

const OPTIONS = new KnownOptions<MockDatabaseOptions>('MockDatabase', {
  type: true,
  ordered: true,
  unexpected: true,
  clock: true,
});

/**
 * A database without a database: it answers statements as the test has written down, on real pools, in real transactions. Give
 * its provider to a manager, whose connections of that type it then serves.
 *
 * ```ts
 * const mock = new MockDatabase({ type: 'postgres' });
 * const mgr = await ConnectionManager.load('config/dbmanager.yaml', { providers: [mock.provider] });
 * mock.on(/select .* from users/).rows([{ id: 1, name: 'Ada' }]);
 * mock.on(/insert into users/).fails('DBM_UNIQUE_VIOLATION');
 * …
 * mock.assertDone();
 * ```
 *
 * It answers the Database API, and `tx.query` in transactions. ORMs write their own SQL for a real database: test those on
 * `testManager`.
 */
export class MockDatabase {
  readonly provider: AnyProvider;
  /** What goes wrong besides: connects, connections, commits. */
  readonly faults: Faults;
  readonly #script: MockScript;
  readonly #fake: FakeProvider;

  /** Throws `DBM_INVALID_OPTION` for options that there are not, as {@link on} and what it gives do for what they cannot mean. */
  constructor(options: MockDatabaseOptions = {}) {
    checkOptions(options);
    const { type = 'mock', ...script } = options;
    const real = realProvider(type);
    this.#script = new MockScript(script);
    this.faults = new Faults(script.clock);
    this.#fake = new FakeProvider({ type: real?.type ?? type });
    this.provider = interceptedProvider(
      real === undefined ? this.#fake : disguised(this.#fake, real),
      this.#interceptor(),
    );
  }

  /** Expects a statement, once unless said; what it gives says how it is answered. */
  on(pattern: string | RegExp): MockExpectation {
    return this.#script.on(pattern);
  }

  /**
   * What stands in for the server of a connection, by the name of the connection's `database`, else by its own: its log of
   * connections, and how to kill them.
   */
  database(name: string): FakeDatabase {
    return this.#fake.database(name);
  }

  /** Every statement that was sent, in order, with its values. */
  get calls(): readonly Statement[] {
    return this.#script.calls;
  }

  /** Throws unless every expected statement was sent, and no other. For the end of a test. */
  assertDone(): void {
    this.#script.assertDone();
  }

  /** Forgets what was expected and what was sent, and nothing goes wrong any more: for the next test. */
  reset(): void {
    this.#script.reset();
    this.faults.reset();
  }

  #interceptor(): Interceptor {
    const { faults } = this;
    const script = this.#script;
    return {
      connecting: (connectionName, signal) => faults.connecting(connectionName, signal),
      probing: (connectionName) => faults.probing(connectionName),
      // There is no driver's connection here on which a crash would be seen.
      committing: () => faults.committing() ?? (faults.sending('COMMIT') ? { applied: false } : undefined),
      async statement(statement: Statement, options: StatementOptions, source: LeaseSource): Promise<Verdict> {
        const verdict = await faults.statement(statement, options, source);
        if (verdict !== undefined) return verdict;
        if (faults.sending(statement.sql)) return { lost: faults.loss(source.name) };
        return script.statement(statement, options, source);
      },
    };
  }
}

/** Throws `DBM_INVALID_OPTION` for what cannot be meant. */
function checkOptions(options: MockDatabaseOptions): void {
  OPTIONS.check(options, undefined);
  const { type, ordered, unexpected } = options;
  if (type !== undefined && (typeof type !== 'string' || type === '')) {
    throw invalid('type', 'type must be that of the connections: "postgres"');
  }
  assertFlag(ordered, 'ordered');
  assertOneOf(unexpected, ['refuse', 'ask'], 'unexpected');
}

/** The provider whose place a mock of that type takes, by any of its names; undefined for a type of the test's own. */
function realProvider(type: string): AnyProvider | undefined {
  const real = PROVIDERS.find((provider) => provider.type === type || provider.aliases?.includes(type));
  if (real === undefined || real.dialect !== undefined) return real;
  throw invalid('type', `a mock answers SQL, which type ${real.type} does not speak`);
}

/** What ORMs and native handles stand on. */
function driverless({ name }: { readonly name: string }): never {
  throw new DbManagerError(
    'DBM_UNSUPPORTED',
    'a mock has no driver for ORMs and native handles; test these on testManager, or on testDatabase',
    { connectionName: name },
  );
}

/** The fake with the keys of a real provider, its aliases, and the way its statements are written. */
function disguised(fake: AnyProvider, { options, aliases, dialect }: AnyProvider): AnyProvider {
  return overlay(fake, {
    options,
    aliases,
    dialect,
    open: async (config, context) => {
      const engine = await fake.open(config, context);
      return overlay(engine, {
        sql: engine.sql && overlay(engine.sql, { ...dialect }),
        native: driverless,
        nativeTransaction: driverless,
      });
    },
    adopt: undefined,
  });
}
