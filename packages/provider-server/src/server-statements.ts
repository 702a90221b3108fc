import {
  type Clock,
  type Lease,
  type LeaseSource,
  type Statement,
  type StatementControl,
  type StatementOptions,
  type StatementResult,
  StatementWatch,
  withLease,
} from '@dbmanager/core';
import { longerLimit } from './statement-limit.js';

/** What {@link ServerStatements} is made of. */
export interface ServerStatementsSetup<C> {
  readonly clock: Clock;
  readonly control: StatementControl<C>;
  /** The beginning of a statement without its values, for leak reports. */
  summarise(sql: string): string;
}

/** Sends the statements of one engine, each under its limits: afterwards its connection is ready for the next, or destroyed. */
export abstract class ServerStatements<C, Answer> {
  readonly clock: Clock;
  readonly #control: StatementControl<C>;
  readonly #summarise: (sql: string) => string;

  protected constructor({ clock, control, summarise }: ServerStatementsSetup<C>) {
    this.clock = clock;
    this.#control = control;
    this.#summarise = summarise;
  }

  /** One statement on a connection of its own. */
  runAlone(source: LeaseSource<C>, statement: Statement, options: StatementOptions): Promise<StatementResult> {
    return withLease(source, 'write', options.signal, (lease) => {
      if (source.config.options.leakDetectionMs > 0) lease.note(this.#summarise(statement.sql));
      return this.runOn(lease, source, statement, options);
    });
  }

  /** The same on a lease, which the caller gives back. */
  protected runOn(
    lease: Lease<C>,
    source: LeaseSource<C>,
    statement: Statement,
    options: StatementOptions,
  ): Promise<StatementResult> {
    return this.query(lease.connection, source, statement, options);
  }

  /** One statement of a user. */
  async query(
    connection: C,
    source: LeaseSource<C>,
    statement: Statement,
    options: StatementOptions,
  ): Promise<StatementResult> {
    const limitMs = longerLimit(options, this.limitOf(connection));
    const run = () => this.run(connection, source, statement, options);
    const answer = await (limitMs === undefined ? run() : this.limited(connection, source, limitMs, run));
    return this.resultOf(answer, options);
  }

  /** One statement, answered as the driver does. */
  run(connection: C, source: LeaseSource<C>, statement: Statement, options: StatementOptions): Promise<Answer> {
    return this.watch(connection, source, options).run(() => this.send(connection, statement, options));
  }

  /** Watches over one statement. */
  watch(
    connection: C,
    { name: connectionName, config }: LeaseSource<C>,
    { signal, timeoutMs = config.options.queryTimeoutMs }: StatementOptions,
  ): StatementWatch<C> {
    const serverTimeoutMs = this.limitOf(connection);
    const control = this.#control;
    const { clock } = this;
    return new StatementWatch({ control, connection, clock, connectionName, timeoutMs, serverTimeoutMs, signal });
  }

  /** Runs `work` under another limit of the server than that of the connection. Not overridden: servers have none. */
  limited<T>(_connection: C, _source: LeaseSource<C>, _limitMs: number, work: () => Promise<T>): Promise<T> {
    return work();
  }

  /** The limit that the server has for the next statement of a connection, in milliseconds; 0 is none. */
  protected limitOf(_connection: C): number {
    return 0;
  }

  /** Sends one statement; rejects with the driver's error. */
  protected abstract send(connection: C, statement: Statement, options: StatementOptions): Promise<Answer>;

  protected abstract resultOf(answer: Answer, options: StatementOptions): StatementResult;
}
