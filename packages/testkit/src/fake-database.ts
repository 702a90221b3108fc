import {
  abortedError,
  type Clock,
  type ConnectionFactory,
  type CreateContext,
  DbManagerError,
  isDbManagerError,
  type Lane,
  sleep,
  systemClock,
} from '@dbmanager/core';
import { FakeConnection } from './fake-connection.js';
import { FakeTables } from './fake-sql.js';

/** How a {@link FakeDatabase} answers one kind of request. */
export interface FakeAnswer {
  /** How long it takes by the injected clock; `Infinity` is for ever. */
  latencyMs: number;
  /** What it then fails with, if it does. */
  error: Error | undefined;
}

/** What a connect fails with: the given error, or that of a closed port. */
type Refusal = Error | 'refused';

/** What makes connections to a {@link FakeDatabase}. */
export interface FakeFactorySetup {
  readonly connectionName?: string;
  /** Given to the database, which checks it when it has one. */
  readonly password?: string | undefined;
  readonly lane?: Lane;
}

/**
 * An in-memory database server that does as its test tells it: slow, failing, hanging, down, or killing connections. It
 * keeps a log of what was created and destroyed, and of every wrong use.
 */
export class FakeDatabase {
  /** Connecting. */
  readonly connects: FakeAnswer = { latencyMs: 0, error: undefined };
  /** Answers to each kind of request on an open connection. */
  readonly validations: FakeAnswer = { latencyMs: 0, error: undefined };
  readonly statements: FakeAnswer = { latencyMs: 0, error: undefined };
  readonly cleans: FakeAnswer = { latencyMs: 0, error: undefined };
  readonly destroys: FakeAnswer = { latencyMs: 0, error: undefined };
  /** When set, any other password is refused with `DBM_AUTH_FAILED`. */
  password: string | undefined;
  /** Refuse writes, as a primary does after a failover: `judge` calls it `failover`. */
  readOnly = false;
  /** A connect that is under way delivers although it has been aborted. */
  ignoresAbort = false;
  /** Rules every latency; a `FakeProvider` sets it to that of the manager. */
  clock: Clock;
  /** Its contents. */
  readonly tables = new FakeTables();

  readonly #live = new Set<FakeConnection>();
  readonly #created: number[] = [];
  readonly #destroyed: number[] = [];
  readonly #complaints: string[] = [];
  #refusal: Refusal | undefined;
  #failures: { left: number; readonly refusal: Refusal } | undefined;
  #attempts = 0;
  #connecting = 0;
  #mostConnecting = 0;
  #dieInCommit = false;

  constructor(clock: Clock = systemClock) {
    this.clock = clock;
  }

  // The script.

  /** Refuses every connect from now on, and kills what is open. */
  goDown(error?: Error): void {
    this.#refusal = error ?? 'refused';
    this.kill('all');
  }

  /** Accepts connects again. */
  goUp(): void {
    this.#refusal = undefined;
    this.connects.error = undefined;
    this.#failures = undefined;
  }

  /** Fails the next connects, then accepts again. */
  failNextConnects(times: number, error?: Error): void {
    this.#failures = { left: times, refusal: error ?? 'refused' };
  }

  /** The server ends connections: all, those doing nothing, or one by its id. */
  kill(which: 'all' | 'idle' | number, error?: Error): void {
    for (const connection of [...this.#live]) {
      if (which === 'all' || connection.id === which || (which === 'idle' && !connection.busy)) connection.die(error);
    }
  }

  /** The connection of the next commit dies before the answer. */
  dieInNextCommit(): void {
    this.#dieInCommit = true;
  }

  // The log.

  /** Ids of all connections ever made, in order. */
  get created(): readonly number[] {
    return this.#created;
  }

  /** Ids of all connections destroyed, in order. */
  get destroyed(): readonly number[] {
    return this.#destroyed;
  }

  /** Open connections, oldest first. */
  get live(): readonly FakeConnection[] {
    return [...this.#live];
  }

  /** Connects tried, failed ones included. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Connects under way. */
  get connecting(): number {
    return this.#connecting;
  }

  /** Most connects that were ever under way at a time. */
  get mostConnecting(): number {
    return this.#mostConnecting;
  }

  /** Every wrong use, in words. */
  get complaints(): readonly string[] {
    return this.#complaints;
  }

  /** Throws unless everything made was destroyed once and nothing was used wrongly. For the end of a test. */
  assertSettled(): void {
    const open = [...this.#live].map((connection) => connection.id);
    const faults = [...this.#complaints];
    if (open.length > 0) faults.push(`connections left open: ${open.join(', ')}`);
    if (this.#connecting > 0) faults.push(`connects left under way: ${this.#connecting}`);
    if (faults.length > 0) throw new Error(`fake database: ${faults.join('; ')}`);
  }

  // The parts a pool and a provider use.

  /** Makes connections to this database. */
  factory(setup: FakeFactorySetup = {}): ConnectionFactory<FakeConnection> {
    return {
      create: (context) => this.#connect(context, setup),
      validate: (connection, signal) => connection.validate(signal),
      isDirty: (connection) => connection.inTransaction,
      clean: async (connection, signal) => {
        await this.answer('clean', signal);
        connection.rollback();
      },
      destroy: async (connection, signal) => {
        connection.destroy(signal);
        // A slow goodbye is cut short by the signal, as a real one is.
        await this.answer('destroy', signal).catch(() => undefined);
      },
      judge: (error) => {
        if (isDbManagerError(error, 'DBM_READ_ONLY') && this.readOnly) return 'failover';
        return isDbManagerError(error, 'DBM_CONNECTION_LOST') || isDbManagerError(error, 'DBM_COMMIT_UNKNOWN')
          ? 'fatal'
          : 'harmless';
      },
    };
  }

  /** @internal Waits and fails as scripted. */
  async answer(kind: 'validate' | 'statement' | 'clean' | 'destroy', signal?: AbortSignal): Promise<void> {
    const { latencyMs, error } = {
      validate: this.validations,
      statement: this.statements,
      clean: this.cleans,
      destroy: this.destroys,
    }[kind];
    await this.#pass(latencyMs, signal);
    if (error !== undefined) throw error;
  }

  /** @internal Puts a wrong use on record, and returns it as an error to throw. */
  complain(complaint: string): Error {
    this.#complaints.push(complaint);
    return new Error(complaint);
  }

  /** @internal */
  forget(connection: FakeConnection): void {
    this.#live.delete(connection);
    this.#destroyed.push(connection.id);
  }

  /** @internal True once after {@link dieInNextCommit}. */
  takeCommitDeath(): boolean {
    const dies = this.#dieInCommit;
    this.#dieInCommit = false;
    return dies;
  }

  async #connect({ signal, lost }: CreateContext, setup: FakeFactorySetup): Promise<FakeConnection> {
    this.#attempts++;
    this.#connecting++;
    this.#mostConnecting = Math.max(this.#mostConnecting, this.#connecting);
    try {
      await this.#pass(this.connects.latencyMs, this.ignoresAbort ? undefined : signal);
      if (signal.aborted && !this.ignoresAbort) throw abortedError(signal, setup.connectionName);
      this.#refuse(setup);
    } finally {
      this.#connecting--;
    }
    const connection = new FakeConnection(this, {
      id: this.#created.length + 1,
      lane: setup.lane ?? 'write',
      connectionName: setup.connectionName ?? 'fake',
      lost,
    });
    this.#created.push(connection.id);
    this.#live.add(connection);
    return connection;
  }

  async #pass(ms: number, signal: AbortSignal = new AbortController().signal): Promise<void> {
    if (signal.aborted) throw abortedError(signal);
    if (ms > 0) await sleep(this.clock, ms, signal, { keepAlive: Number.isFinite(ms) });
  }

  #refuse({ password, connectionName }: FakeFactorySetup): void {
    if (this.connects.error !== undefined) throw this.connects.error;
    if (this.#refusal !== undefined) throw refusalError(this.#refusal, connectionName);
    if (this.#failures !== undefined && this.#failures.left > 0) {
      this.#failures.left--;
      throw refusalError(this.#failures.refusal, connectionName);
    }
    if (this.password !== undefined && this.password !== password) {
      throw new DbManagerError('DBM_AUTH_FAILED', 'the password is wrong', { connectionName, option: 'password' });
    }
  }
}

function refusalError(refusal: Refusal, connectionName: string | undefined): Error {
  if (refusal !== 'refused') return refusal;
  return new DbManagerError('DBM_CONNECT_FAILED', 'connection refused', { connectionName });
}
