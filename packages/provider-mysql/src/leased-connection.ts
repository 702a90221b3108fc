import { DbManagerError, type Lease } from '@dbmanager/core';
import { type ConnectionView, connectionViewClass } from './connection-view.js';
import { judge } from './errors.js';
import { isGone, isReady, type MysqlConnection, type MysqlDriver, type MysqlPoolConnection } from './mysql-driver.js';
import { ServerStatus } from './server-status.js';
import { summariseQuery } from './statement-text.js';
import { StreamedQueries, type StreamedQuery } from './streamed-queries.js';

/** What the connections of one facade have in common. */
export interface LeasedConnectionSetup {
  readonly driver: MysqlDriver;
  readonly connectionName: string;
  /** Whether the last statement is remembered, for leak reports. */
  readonly notes: boolean;
  /** Ends what nobody reads any more. Never rejects. */
  abandon(connection: MysqlConnection): Promise<void>;
  /** Called once for each, when its borrower gives it back. */
  onRelease(connection: MysqlPoolConnection): void;
}

type Callback = (error: unknown, ...results: unknown[]) => void;
/** A query object of mysql2, sent or to be sent. */
interface QueryObject extends StreamedQuery {
  onResult?: Callback | undefined;
}

/** Makes the connections that a facade lends. */
export type LendConnection = (lease: Lease<MysqlConnection>) => MysqlPoolConnection;

/**
 * Lends connections as mysql2's pool does: `instanceof` its PoolConnection, with its whole API. Each is good for one
 * checkout: `release()`, `end()` and `destroy()` work once, what comes after is refused, and listeners go with it.
 */
export function connectionLender(setup: LeasedConnectionSetup): LendConnection {
  const { driver, connectionName, notes } = setup;
  const releasedError = (message: string) => new DbManagerError('DBM_LEASE_RELEASED', message, { connectionName });
  let Leased: (new (lease: Lease<MysqlConnection>) => MysqlPoolConnection) | undefined;

  const define = (sample: MysqlConnection) => {
    class LeasedConnection extends connectionViewClass(driver, sample) implements ConnectionView {
      readonly #lease: Lease<MysqlConnection>;
      readonly #real: () => MysqlConnection;
      readonly #status: ServerStatus;
      /** Also of one that was given back: mysql2's promises read it before there is a promise that could reject. */
      readonly config: unknown;
      #released = false;
      /** The first error that says something of the connection itself. */
      #error: unknown;
      /** Left out: there was none. */
      #streamed: StreamedQueries | undefined;

      constructor(lease: Lease<MysqlConnection>) {
        const real = () => {
          if (!this.#released) return lease.connection;
          throw releasedError('a connection was used after it had been released');
        };
        super(real);
        this.#lease = lease;
        this.#real = real;
        this.config = lease.connection.config;
        this.#status = ServerStatus.of(lease.connection);
        this.#status.guard(connectionName);
      }

      query(...args: unknown[]): unknown {
        return this.#send('query', args);
      }

      execute(...args: unknown[]): unknown {
        return this.#send('execute', args);
      }

      release(): void {
        const connection = this.#giveUp();
        if (connection === undefined) return;
        const giveBack = () => {
          // Where something still runs the pool waits for it, and ends this.
          if (isReady(connection)) this.#status.unguard();
          this.#lease.release(this.#error);
        };
        const streaming = (this.#streamed?.size ?? 0) > 0;
        if (streaming) this.#streamed?.end(releasedError('the connection was released before all rows were read'));
        // mysql2 calls back for an error before it has put the query away.
        if (isReady(connection)) giveBack();
        else if (streaming) void setup.abandon(connection).then(giveBack);
        else process.nextTick(giveBack);
      }

      /** As `release()`: mysql2's own pool does the same, with a warning. */
      end(callback?: () => void): void {
        this.release();
        callback?.();
      }

      destroy(): void {
        if (this.#giveUp() !== undefined) this.#lease.discard(this.#error);
      }

      close(): void {
        this.destroy();
      }

      [Symbol.dispose](): void {
        this.release();
      }

      #send(how: 'query' | 'execute', args: unknown[]): unknown {
        const [query] = args;
        const connection = this.#real();
        if (notes) this.#lease.note(summariseQuery(query));
        // mysql2 tells a callback that the connection has died, but not that the query has ended, which its pool waits for.
        const failed = () => {
          if (isGone(connection)) process.nextTick(() => sent.emit('end'));
        };
        if (isQueryObject(query) && query.onResult !== undefined)
          query.onResult = this.#listening(query.onResult, failed);
        const heard = args.map((arg) => (typeof arg === 'function' ? this.#listening(arg as Callback, failed) : arg));
        const sent = Reflect.apply(connection[how], connection, heard) as QueryObject;
        if (sent.onResult === undefined) {
          this.#streamed ??= new StreamedQueries();
          this.#streamed.add(sent, connection, (error) => this.#note(error));
        }
        return sent;
      }

      #listening(callback: Callback, failed: () => void): Callback {
        return (error, ...results) => {
          if (error) {
            this.#note(error);
            failed();
          }
          callback(error, ...results);
        };
      }

      #note(error: unknown): void {
        if (judge(error) !== 'harmless') this.#error ??= error;
      }

      /** The connection to give back; undefined when that has been done, or it was closed by force. */
      #giveUp(): MysqlConnection | undefined {
        if (this.#released) return undefined;
        this.#released = true;
        const connection = this.#lease.released ? undefined : this.#lease.connection;
        if (connection !== undefined) this.dropListeners(connection);
        setup.onRelease(this as unknown as MysqlPoolConnection);
        return connection;
      }
    }
    return LeasedConnection as unknown as new (
      lease: Lease<MysqlConnection>,
    ) => MysqlPoolConnection;
  };

  return (lease) => {
    Leased ??= define(lease.connection);
    return new Leased(lease);
  };
}

function isQueryObject(query: unknown): query is QueryObject {
  return typeof query === 'object' && query !== null && 'onResult' in query && 'once' in query;
}
