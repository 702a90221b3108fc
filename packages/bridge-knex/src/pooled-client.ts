import type { Readable, Transform } from 'node:stream';
import { type Checkouts, cannotCancel } from './checkouts.js';
import type { KnexClient, KnexClientClass, KnexContainer, KnexQuery } from './knex-client.js';
import { remembered, restored } from './own-message.js';
import { closing } from './stream-closing.js';

/**
 * A dialect of Knex whose connections come from the shared pool. What it needs is in `checkouts` and not on the
 * instance, because Knex makes further clients from the prototype alone (transactions, `withUserParams`).
 */
export function pooledClient(Dialect: KnexClientClass, checkouts: Checkouts): KnexClientClass {
  class PooledClient extends Dialect implements KnexClient {
    constructor(config: object) {
      super(config);
      this.initializePool();
    }

    override initializePool(): void {
      checkouts.attach();
      this.pool = checkouts.pool;
    }

    override acquireConnection(): Promise<object> {
      return checkouts.acquire();
    }

    override async releaseConnection(connection: object): Promise<void> {
      checkouts.release(connection);
    }

    override async destroy(callback?: (error?: unknown) => void): Promise<void> {
      checkouts.detach();
      this.pool = undefined;
      callback?.();
    }

    override database(): string | undefined {
      return checkouts.target.engine.identity.namespace;
    }

    override transaction(container: KnexContainer, config?: object, outer?: object | null): object {
      return super.transaction((trx) => checkouts.target.holding(() => container(trx)), config, outer);
    }

    override query(connection: object, query: KnexQuery | string): Promise<KnexQuery> {
      return super.query(connection, query).catch((error: unknown) => {
        throw restored(error);
      });
    }

    override _query(connection: object, query: KnexQuery): Promise<KnexQuery> {
      const checkout = checkouts.find(connection);
      checkout?.note(query.sql);
      const result = super._query(connection, query).catch((error: unknown) => {
        checkout?.failed(error);
        throw remembered(error);
      });
      if (typeof query.timeout === 'number') checkout?.running(result);
      return result;
    }

    /** Knex's own opens a connection for it, to a server it does not know. */
    override async cancelQuery(connection: object): Promise<void> {
      const checkout = checkouts.find(connection);
      if (checkout === undefined) throw cannotCancel(checkouts.target.name);
      await checkout.cancel();
    }

    override async _stream(connection: object, query: KnexQuery, stream: Transform, options: object | undefined) {
      const checkout = checkouts.find(connection);
      checkout?.note(query.sql);
      const closed = new Promise<void>((resolve) => {
        stream.once('pipe', (source: Readable) => {
          const sourceClosed = closing(source, stream, checkout);
          checkout?.streaming(sourceClosed);
          void sourceClosed.then(resolve);
        });
      });
      // A reader that leaves early ends neither well nor badly in Knex, which would then keep the connection.
      await Promise.race([super._stream(connection, query, stream, options), closed]);
    }
  }
  // Libraries tell dialects by the name of the client's class.
  Object.defineProperty(PooledClient, 'name', { value: Dialect.name });
  return PooledClient;
}
