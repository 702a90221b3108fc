import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rejection, SQLITE } from '../../../test/support/sql-engines.js';
import { StoreBench } from '../../../test/support/store-engines.js';
import { storeMigration } from './store-migration.js';
import type { Stores } from './stores.js';

/** What a caller without types, or a request, may give. */
const wrong = (value: unknown) => value as never;

SQLITE.describe('What stores are given', () => {
  let bench: StoreBench;
  let stores: Stores;

  beforeAll(async () => {
    bench = await StoreBench.open(SQLITE);
    stores = bench.stores();
    await stores.createTables();
    await stores.tenants.save({ id: 't1', name: 'One' });
  });

  afterAll(async () => {
    await bench?.close();
  });

  const invalid = (option: string) => expect.objectContaining({ code: 'DBM_INVALID_OPTION', option });

  describe.each(['plugin', '', null, ['plugins'], {}])('for a selection of tables: %p', (tables) => {
    it('drops none, and creates none', async () => {
      await expect(rejection(stores.dropTables({ tables: wrong(tables) }))).resolves.toEqual(invalid('tables'));
      await expect(rejection(stores.createTables({ tables: wrong(tables) }))).resolves.toEqual(invalid('tables'));
      await expect(stores.tenants.load('t1')).resolves.toBeDefined();
    });

    it('makes no migration', () => {
      const options = { type: 'sqlite', version: 1, tables: wrong(tables) };
      expect(() => storeMigration(options)).toThrow(invalid('tables'));
    });
  });

  it.each([Number.NaN, -1, 0.5, '1000', null])('refuses %p for the most bytes of a session', (maxSessionBytes) => {
    expect(() => bench.stores({ maxSessionBytes: wrong(maxSessionBytes) })).toThrow(invalid('maxSessionBytes'));
  });

  it.each(['read', ['read', 5], {}])('refuses %p for the scopes that a token must have', async (scopes) => {
    const expiresAt = new Date(bench.clock.now + 1_000);
    const { token } = await stores.accessTokens.issue({ expiresAt, scopes: ['read'] });
    const refused = rejection(stores.accessTokens.validate(token, { scopes: wrong(scopes) }));
    await expect(refused).resolves.toEqual(invalid('scopes'));
  });

  it.each(['a.com', {}, 5])('refuses %p for the hosts of a tenant, and saves nothing of it', async (hosts) => {
    const refused = rejection(stores.tenants.save({ id: 't2', name: 'Two', hosts: wrong(hosts) }));
    await expect(refused).resolves.toEqual(invalid('hosts'));
    await expect(stores.tenants.load('t2')).resolves.toBeUndefined();
  });

  it('refuses what is no list of metrics', async () => {
    await expect(rejection(stores.workloadMetrics.saveMany(wrong({})))).resolves.toEqual(invalid('metrics'));
  });
});
