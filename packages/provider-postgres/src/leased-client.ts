import type { EventEmitter } from 'node:events';
import { type Clock, DbManagerError, type Lease } from '@dbmanager/core';
import { type PgClient, whenReady } from './pg-driver.js';
import { summariseQuery } from './statement-summary.js';

type Listener = (...args: unknown[]) => void;

/** A listener of one borrower, with the client that it stands on. */
interface OwnListener {
  readonly client: PgClient;
  readonly event: string | symbol;
  readonly listener: Listener;
}

/** What the clients of one facade have in common. */
export interface LeasedClientSetup {
  readonly connectionName: string;
  readonly clock: Clock;
  /** Whether the last statement is remembered, for leak reports. */
  readonly notes: boolean;
  /** Called once for each client, when its borrower gives it back. */
  onRelease(error: unknown, client: LeasedClient, connection: PgClient | undefined): void;
}

/** A `pg.PoolClient` that is good for one checkout. It has every member of the client behind it. */
export interface LeasedClient extends Omit<PgClient, 'release'> {
  /** Gives the client back, or has it closed when called with anything true; does nothing the second time. */
  readonly release: (error?: unknown) => void;
}

/** Makes the client of one checkout. */
export type LeasedClientClass = new (lease: Lease<PgClient>) => LeasedClient;

/**
 * The class of the clients that a pool facade lends. Its instances are `instanceof pg.Client`, and whatever they do, they
 * do on the real client; but each is good for one checkout, dead after its release, and takes the listeners that it was
 * given with it. Its properties are accessors made once from those of `sample`, so that a checkout costs no proxy.
 */
export function defineLeasedClient(sample: PgClient, setup: LeasedClientSetup): LeasedClientClass {
  const { connectionName, notes } = setup;

  class Leased {
    readonly #lease: Lease<PgClient>;
    #listeners: OwnListener[] = [];
    #released = false;

    constructor(lease: Lease<PgClient>) {
      this.#lease = lease;
    }

    /** Own and bound, as pg-pool's: it is handed about on its own (`promise.finally(client.release)`). */
    readonly release = (error?: unknown): void => {
      if (this.#released) return;
      const lease = this.#lease;
      // Closed by force meanwhile: there is nothing to give back.
      const client = lease.released ? undefined : lease.connection;
      this.#released = true;
      this.removeAllListeners();
      setup.onRelease(error, this as unknown as LeasedClient, client);
      if (client !== undefined) whenReady(client, setup.clock, () => (error ? lease.discard(error) : lease.release()));
    };

    query(text: unknown, values?: unknown, callback?: unknown): unknown {
      if (notes) this.#lease.note(summariseQuery(text));
      // One of pg's overloads: it looks at the arguments itself.
      return (this.#client.query as (...args: unknown[]) => unknown)(text, values, callback);
    }

    on(event: string | symbol, listener: Listener): this {
      return this.#listen('on', event, listener);
    }

    addListener(event: string | symbol, listener: Listener): this {
      return this.#listen('on', event, listener);
    }

    once(event: string | symbol, listener: Listener): this {
      return this.#listen('once', event, listener);
    }

    prependListener(event: string | symbol, listener: Listener): this {
      return this.#listen('prependListener', event, listener);
    }

    prependOnceListener(event: string | symbol, listener: Listener): this {
      return this.#listen('prependOnceListener', event, listener);
    }

    /** Takes away a listener of this borrower; does nothing for any other, nor once it is gone, whatever has ended since. */
    off(event: string | symbol, listener: Listener): this {
      const index = this.#listeners.findLastIndex((own) => own.event === event && own.listener === listener);
      for (const { client } of index < 0 ? [] : this.#listeners.splice(index, 1)) {
        client.removeListener(event as 'end', listener);
      }
      return this;
    }

    removeListener(event: string | symbol, listener: Listener): this {
      return this.off(event, listener);
    }

    /** Removes those of this borrower; the others keep the process alive when the connection dies. */
    removeAllListeners(event?: string | symbol): this {
      for (const own of [...this.#listeners]) {
        if (event === undefined || event === own.event) this.off(own.event, own.listener);
      }
      return this;
    }

    get #client(): PgClient {
      if (this.#released) {
        throw new DbManagerError('DBM_LEASE_RELEASED', 'a client was used after it had been released', {
          connectionName,
        });
      }
      return this.#lease.connection;
    }

    #listen(
      how: 'on' | 'once' | 'prependListener' | 'prependOnceListener',
      event: string | symbol,
      listener: Listener,
    ): this {
      const client = this.#client;
      (client as EventEmitter)[how](event, listener);
      this.#listeners.push({ client, event, listener });
      return this;
    }

    static forward(property: string): void {
      Object.defineProperty(Leased.prototype, property, {
        configurable: true,
        get(this: Leased) {
          return Reflect.get(this.#client, property);
        },
        set(this: Leased, value: unknown) {
          Reflect.set(this.#client, property, value);
        },
      });
    }
  }
  const members = new Set(['release', ...Object.getOwnPropertyNames(Leased.prototype)]);
  for (const property of Object.getOwnPropertyNames(sample)) if (!members.has(property)) Leased.forward(property);
  Object.setPrototypeOf(Leased.prototype, Object.getPrototypeOf(sample));
  return Leased as unknown as LeasedClientClass;
}
