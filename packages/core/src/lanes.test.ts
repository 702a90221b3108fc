import { FakeDatabase, testConfig, testContext } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { Lanes } from './lanes.js';
import { Pool } from './pool/pool.js';
import type { Provider } from './provider.js';

const provider: Provider = {
  type: 'fake',
  options: {},
  open: () => Promise.reject(new Error('not opened here')),
};

describe('the lanes of an engine whose driver keeps a pool itself', () => {
  it('are that pool alone, whatever else the engine has', async () => {
    const factory = new FakeDatabase().factory();
    const config = testConfig(provider, { maxOpenConns: 5 });
    const pool = new Pool({ name: 'own', factory, options: { ...config.options, maxOpenConns: 2 } });
    const engine = { factory, pool, readers: factory, maxOpen: 1, identity: { system: 'fake' } };
    const lanes = new Lanes(engine, config, testContext);
    expect([lanes.write, lanes.read]).toEqual([pool, pool]);
    await using lease = await lanes.acquire({ lane: 'read' });
    expect(lease.released).toBe(false);
    expect(lanes.counts).toMatchObject({ max: 2, inUse: 1 });
    lease.release();
    expect(await lanes.close({})).toEqual({ drained: true, held: [] });
  });
});
