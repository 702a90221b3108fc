import { AsyncLocalStorage } from 'node:async_hooks';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DatabaseConnection, Dialect, Driver } from 'kysely';

/** What a connection of the shared pool has besides. */
interface Spoilable {
  spoil(): void;
}

/**
 * Lets work that sends one statement after the other, each for itself, run on one connection: what a statement sets there,
 * such as that foreign keys are off, then holds for those after it, and for nobody else.
 */
export class OneConnection {
  readonly #current = new AsyncLocalStorage<DatabaseConnection>();
  readonly #spoils: boolean;
  #driver: Driver | undefined;

  /** @param spoils the work leaves settings behind: the connection is not used again. */
  constructor({ spoils = false }: { readonly spoils?: boolean | undefined } = {}) {
    this.#spoils = spoils;
  }

  /** The dialect, with drivers that keep to the one connection. */
  attach(dialect: Dialect): Dialect {
    return { ...dialect, createDriver: () => this.#adapt(dialect.createDriver()) };
  }

  /** Runs `work` on one connection. `connect` sees to it that the ORM has made its driver. */
  async run<T>(connect: () => Promise<void>, work: () => Promise<T>): Promise<T> {
    if (this.#current.getStore() !== undefined) return work();
    await connect();
    const driver = this.#driver as Driver;
    const connection = (await driver.acquireConnection()) as DatabaseConnection & Spoilable;
    if (this.#spoils) connection.spoil();
    try {
      return await this.#current.run(connection, work);
    } catch (error) {
      // What was to be switched back at the end was not.
      connection.spoil();
      throw error;
    } finally {
      await driver.releaseConnection(connection);
    }
  }

  #adapt(driver: Driver): Driver {
    const acquire = driver.acquireConnection.bind(driver);
    const release = driver.releaseConnection.bind(driver);
    driver.acquireConnection = (options) => {
      const current = this.#current.getStore();
      return current === undefined ? acquire(options) : Promise.resolve(current);
    };
    driver.releaseConnection = async (connection, options) => {
      if (connection !== this.#current.getStore()) await release(connection, options);
    };
    this.#driver = driver;
    return driver;
  }
}
