import assert from 'node:assert/strict';
import { SuiteCase } from './suite-case.js';
import type { ProviderSuiteSetup, SuiteRunner } from './suite-setup.js';

/** Tests of the native handle, as far as they are the same everywhere. */
export function nativeTests<C, O extends object>(setup: ProviderSuiteSetup<C, O>, { it }: SuiteRunner): void {
  it('opens nothing by being made', async () => {
    await SuiteCase.run(setup, async ({ connection: { engine, lanes } }) => {
      assert.notEqual(engine.native?.(lanes), undefined);
      assert.equal(lanes.counts.open, 0);
    });
  });

  const { useNative } = setup.hooks ?? {};
  if (useNative !== undefined) {
    it('works on the shared pool; ending it only detaches', async () => {
      await SuiteCase.run(setup, async ({ connection: { engine, lanes } }) => {
        await useNative(engine.native?.(lanes));
        assert.equal(lanes.counts.inUse, 0, 'nothing is held');
        assert.ok(lanes.stats().acquired > 0, 'it borrowed from the pool');
        await lanes.probe(new AbortController().signal);
        await using lease = await lanes.acquire();
        assert.ok(lease.connection);
      });
    });
  }
}
