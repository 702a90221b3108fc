import type { Provider, Statement } from '@dbmanager/core';
import type { TestOptions } from '../test-connection.js';

/** The two functions the suite needs of a test runner: Jest, Vitest and node:test have them. */
export interface SuiteRunner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** What a provider claims to have; the suite tests that it does, and that it has nothing else. */
export interface SuiteCapabilities {
  /** `engine.sql`. */
  readonly sql?: boolean;
  /** Running statements can be cancelled. */
  readonly cancel?: boolean;
  readonly savepoints?: boolean;
  /** `engine.native`. */
  readonly native?: boolean;
}

/** One value that must come back as it went in. */
export interface SuiteValue {
  /** Gives one row with the column `value`. */
  readonly statement: Statement;
  readonly value: unknown;
}

/** What the suite cannot know of a database. A test whose hook is left out is not registered. */
export interface SuiteHooks<C, O extends object> {
  /** The same provider where the driver's package is not installed. */
  readonly withoutDriver?: Provider<C, O>;
  /** Options of a database that cannot be reached. */
  unreachable?(): TestOptions<O>;
  /** Options of a database that accepts and then says nothing, so that a connect hangs. */
  silent?(): Promise<TestOptions<O>>;
  /** Options with a wrong password, and that password, which no error may show. */
  wrongPassword?(): { readonly options: TestOptions<O>; readonly password: string };
  /** Sets this password on the server and gives the options that use it. */
  withPassword?(password: string): Promise<TestOptions<O>>;
  /** The server ends this connection. */
  kill?(connection: C): Promise<void>;
  /** How many connections the server sees. */
  openConnections?(): Promise<number>;
  /** Runs `work` with a statement that does not end by itself. */
  endless?(work: (statement: Statement) => Promise<void>): Promise<void>;
  /** The connection of the next commit dies before the answer. */
  dieInNextCommit?(): void;
  /** Works with the native handle, then ends it. Rejects when the handle still works after that. */
  useNative?(handle: unknown): Promise<void>;
  /** An existing handle of the driver, how to see that it still works, and how to end it. */
  adoptable?(): Promise<{ readonly handle: unknown; check(): Promise<void>; dispose(): Promise<void> }>;
  /** Throws when something was left open; called at the end of each test. */
  assertSettled?(): void | Promise<void>;
}

/** What {@link runProviderSuite} is told. */
export interface ProviderSuiteSetup<C, O extends object> {
  /** Heads the tests. */
  readonly name: string;
  readonly provider: Provider<C, O>;
  /** Options of a database that answers. Called for each connection; may be another database each time. */
  connection(): TestOptions<O>;
  readonly capabilities: SuiteCapabilities;
  readonly hooks?: SuiteHooks<C, O>;
  /** The type of a column for any text of up to 64 characters. Default: `VARCHAR(64)`. */
  readonly textType?: string;
  /** Values that must come back as they are, besides text and NULL. */
  readonly values?: readonly SuiteValue[];
  /**
   * A statement on `table`, which has a row with the key `k1`, that fails and makes the database abort the transaction
   * it runs in. Default: one that breaks the primary key, which is enough where every error aborts.
   */
  abortingStatement?(table: string): Statement;
  /** Default: the globals `describe` and `it`. */
  readonly runner?: SuiteRunner;
}
