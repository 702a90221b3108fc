import { AssertionError } from 'node:assert';
import {
  type Clock,
  DbManagerError,
  type LeaseSource,
  type Statement,
  type StatementOptions,
  systemClock,
} from '@dbmanager/core';
import { delay } from './faults.js';
import type { Interceptor, Verdict } from './interceptor.js';
import { MockExpectation, plainText } from './mock-expectation.js';

/** How a script is kept to. */
export interface MockScriptOptions {
  /** Statements are expected in the order of the script. Default: in any. */
  readonly ordered?: boolean;
  /** `refuse` fails what the script has not, then and in `assertDone()`. `ask` leaves it to the database behind. Default: `refuse`. */
  readonly unexpected?: 'refuse' | 'ask';
  /** What delays are measured by. Default: the machine's. */
  readonly clock?: Clock;
}

/** Answers statements as a test has written down. */
export class MockScript implements Interceptor {
  readonly #options: MockScriptOptions;
  readonly #expectations: MockExpectation[] = [];
  readonly #calls: Statement[] = [];
  readonly #unexpected: string[] = [];

  constructor(options: MockScriptOptions = {}) {
    this.#options = options;
  }

  /** Expects a statement, once unless said. Of several that fit, the first that was written answers. */
  on(pattern: string | RegExp): MockExpectation {
    const expectation = new MockExpectation(pattern);
    this.#expectations.push(expectation);
    return expectation;
  }

  /** Every statement that was sent, in order, with its values. */
  get calls(): readonly Statement[] {
    return this.#calls;
  }

  /** Throws unless every expected statement was sent, and no other. For the end of a test. */
  assertDone(): void {
    const faults = [
      ...this.#expectations.filter(({ missing }) => missing).map((each) => `not sent: ${each}`),
      ...this.#unexpected.map((sql) => `not expected: ${sql}`),
    ];
    if (faults.length > 0)
      throw new AssertionError({ message: `mock: ${faults.join('; ')}`, stackStartFn: this.assertDone });
  }

  /** Forgets what was expected and what was sent. */
  reset(): void {
    this.#expectations.length = 0;
    this.#calls.length = 0;
    this.#unexpected.length = 0;
  }

  /** @internal */
  async statement(statement: Statement, options: StatementOptions, source: LeaseSource): Promise<Verdict> {
    this.#calls.push(statement);
    const expectation = this.#next(statement);
    if (expectation === undefined) return this.#surprise(statement, source);
    expectation.meet();
    await delay(this.#options.clock ?? systemClock, expectation.delayMs, options, source);
    return { result: expectation.answer(source.name) };
  }

  #next(statement: Statement): MockExpectation | undefined {
    const open = this.#expectations.filter((each) => each.open);
    if (this.#options.ordered !== true) return open.find((each) => each.matches(statement));
    // What may be asked for at any time has no place in the order.
    const due = open.findIndex(({ missing }) => missing);
    return open.find((each, index) => each.matches(statement) && (!each.missing || index === due));
  }

  #surprise({ sql }: Statement, { name: connectionName }: LeaseSource): undefined {
    if (this.#options.unexpected === 'ask') return undefined;
    const text = plainText(sql);
    this.#unexpected.push(text);
    const due = this.#expectations.filter(({ missing }) => missing).map(String);
    const expected =
      due.length === 0 ? 'no other' : due.slice(0, this.#options.ordered === true ? 1 : due.length).join(', ');
    throw new DbManagerError('DBM_QUERY_FAILED', `the mock did not expect: ${text}; it expects ${expected}`, {
      connectionName,
    });
  }
}
