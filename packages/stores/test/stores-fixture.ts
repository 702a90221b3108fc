import type { Database } from '@dbmanager/database';
import { afterEach, beforeEach } from '@jest/globals';
import { SQLITE } from '../../../test/support/sql-engines.js';
import { StoreBench } from '../../../test/support/store-engines.js';
import type { Stores, StoresSetup } from '../src/stores.js';

/** Stores of the running test; to be asked for in tests and their hooks. */
export interface StoresFixture {
  readonly stores: Stores;
  readonly database: Database;
}

/** Gives each test of a file stores in an SQLite database of its own, with their tables. */
export function eachWithStores(options: Partial<StoresSetup> = {}): StoresFixture {
  let bench: StoreBench;
  let stores: Stores;

  beforeEach(async () => {
    bench = await StoreBench.open(SQLITE);
    stores = bench.stores(options);
    await stores.createTables();
  });
  afterEach(() => bench?.close());

  return {
    get stores() {
      return stores;
    },
    get database() {
      return bench.database;
    },
  };
}
