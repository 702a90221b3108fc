import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { CONNECTION_OPTIONS, type OptionSpec, parseDuration } from '@dbmanager/core';
import { TestConnection, testConfig, testContext } from '../test-connection.js';
import { rejection, SuiteCase } from './suite-case.js';
import type { ProviderSuiteSetup, SuiteRunner } from './suite-setup.js';

/** Passwords that break naive connection strings. */
const HOSTILE_PASSWORDS = [
  `p@ss w/'"`,
  'a:b@c/d?e#f%20&g=h',
  '\\back`tick$var;--',
  ' leading and trailing ',
  'ünï©ödé',
];

/** Tests of options, opening, and the connection factory. */
export function lifecycleTests<C, O extends object>(setup: ProviderSuiteSetup<C, O>, { it }: SuiteRunner): void {
  const { provider, capabilities, hooks = {} } = setup;
  const run = (body: (test: SuiteCase<C>) => Promise<void>) => SuiteCase.run(setup, body);
  const live = () => new AbortController().signal;
  const context = { signal: live(), lost() {} };

  it('has a well-formed option table', async () => {
    for (const [key, spec] of Object.entries(provider.options)) assertWellFormed(key, spec);
  });

  it('finds nothing wrong with a good configuration', async () => {
    const config = testConfig(provider, setup.connection());
    assert.deepEqual(provider.check?.(config) ?? [], []);
    assert.deepEqual(provider.checkAll?.([config]) ?? [], []);
  });

  it('has the capabilities it claims and no others', async () => {
    await run(async ({ connection: { engine } }) => {
      assert.equal(engine.sql !== undefined, capabilities.sql ?? false, 'sql');
      assert.equal(engine.native !== undefined, capabilities.native ?? false, 'native');
      assert.equal(provider.adopt !== undefined, hooks.adoptable !== undefined, 'adopt');
    });
  });

  it('names its database system', async () => {
    await run(async ({ connection: { engine } }) => assert.match(engine.identity.system, /^[a-z0-9._]+$/));
  });

  it('connects nothing by being opened', async () => {
    const before = await hooks.openConnections?.();
    await run(async ({ connection }) => {
      assert.equal(connection.lanes.counts.open, 0);
      assert.equal(await hooks.openConnections?.(), before);
    });
  });

  it('creates a connection, finds it well, and destroys it', async () => {
    await run(async ({ connection: { engine } }) => {
      for (const factory of engine.readers === undefined ? [engine.factory] : [engine.factory, engine.readers]) {
        const made = await factory.create(context);
        await factory.validate?.(made, live());
        assert.equal(factory.isDirty?.(made) ?? false, false);
        await factory.destroy(made, live());
      }
    });
  });

  it('destroys a connection at once when the signal has been aborted', async () => {
    await run(async ({ connection: { engine } }) => {
      const made = await engine.factory.create(context);
      await engine.factory.destroy(made, AbortSignal.abort());
    });
  });

  it('rejects a create that was aborted before it began', async () => {
    await run(async ({ connection: { engine } }) => {
      await rejection(engine.factory.create({ ...context, signal: AbortSignal.abort() }));
    });
  });

  it('answers a probe', async () => {
    await run(async ({ connection: { engine, lanes } }) => {
      await lanes.probe(live());
      await engine.probe?.(live());
    });
  });

  it('calls an error of no known kind harmless', async () => {
    await run(async ({ connection: { engine } }) => {
      assert.equal(engine.factory.judge?.(new Error('of the caller')) ?? 'harmless', 'harmless');
      assert.equal(engine.factory.judge?.(undefined) ?? 'harmless', 'harmless');
    });
  });

  const { withoutDriver } = hooks;
  if (withoutDriver !== undefined) {
    it('says which package is missing', async () => {
      const error = await rejection(
        TestConnection.open(withoutDriver, setup.connection(), { name: 'suite' }),
        'DBM_PACKAGE_NOT_INSTALLED',
      );
      assert.match(error.message, /npm install|package/);
      assert.equal(error.connectionName, 'suite');
    });
  }

  const { silent } = hooks;
  if (silent !== undefined) {
    it('frees everything when a create is aborted half-way', async () => {
      const connection = await TestConnection.open(provider, await silent(), { name: 'suite' });
      const abort = new AbortController();
      const create = connection.engine.factory.create({ ...context, signal: abort.signal });
      setImmediate(() => abort.abort(new Error('nobody needs it')));
      await rejection(create);
      await connection.close();
      await hooks.assertSettled?.();
    });
  }

  const { unreachable } = hooks;
  if (unreachable !== undefined) {
    it('says which connection cannot be reached', async () => {
      const connection = await TestConnection.open(provider, unreachable(), { name: 'suite' });
      const error = await rejection(connection.engine.factory.create(context));
      assert.equal(error.connectionName, 'suite');
      assert.match(error.message, /suite/);
      await connection.close();
      await hooks.assertSettled?.();
    });
  }

  const { wrongPassword } = hooks;
  if (wrongPassword !== undefined) {
    it('refuses a wrong password without showing it', async () => {
      const { options, password } = wrongPassword();
      const connection = await TestConnection.open(provider, options, { name: 'suite' });
      const error = await rejection(connection.engine.factory.create(context), 'DBM_AUTH_FAILED');
      assert.equal(error.retryable, false);
      assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(password), 'the password is not shown');
      await connection.close();
      await hooks.assertSettled?.();
    });
  }

  const { withPassword } = hooks;
  if (withPassword !== undefined) {
    for (const password of HOSTILE_PASSWORDS) {
      it(`connects with the password ${JSON.stringify(password)}`, async () => {
        await SuiteCase.run(setup, ({ connection }) => connection.lanes.probe(live()), await withPassword(password));
      });
    }
  }

  const { kill } = hooks;
  if (kill !== undefined) {
    it('notices a connection that the server ended', async () => {
      await run(async ({ connection: { engine } }) => {
        const lost = Promise.withResolvers<Error>();
        const made = await engine.factory.create({ signal: live(), lost: lost.resolve });
        await kill(made);
        assert.ok((await lost.promise) instanceof Error);
        await assert.rejects(async () => engine.factory.validate?.(made, live()));
        await engine.factory.destroy(made, live());
      });
    });

    it('serves the next caller when an idle connection was ended', async () => {
      await run(async ({ connection: { lanes } }) => {
        const first = await lanes.acquire();
        const ended = first.connection;
        first.release();
        await kill(ended);
        await using next = await lanes.acquire();
        assert.notEqual(next.connection, ended);
      });
    });
  }

  const { adoptable } = hooks;
  if (adoptable !== undefined) {
    it('adopts a handle and leaves it open', async () => {
      const { handle, check, dispose } = await adoptable();
      try {
        const config = testConfig(provider, setup.connection(), 'suite');
        const engine = await provider.adopt?.(handle, config, testContext);
        assert.ok(engine, 'adopt gives an engine');
        const connection = new TestConnection(engine, config, testContext);
        await connection.lanes.probe(live());
        await connection.close();
        await check();
      } finally {
        await dispose();
      }
    });

    it('refuses to adopt anything else', async () => {
      const config = testConfig(provider, setup.connection(), 'suite');
      for (const handle of [undefined, {}, 'handle']) {
        await rejection(Promise.resolve(provider.adopt?.(handle, config, testContext)), 'DBM_INVALID_OPTION');
      }
    });
  }
}

function assertWellFormed(key: string, spec: OptionSpec): void {
  assert.match(key, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/, `${key} is snake_case`);
  assert.ok(!(key in CONNECTION_OPTIONS), `${key} is not a key that every connection has`);
  assert.ok(spec.description.length > 0, `${key} has a description`);
  if (!('default' in spec) || spec.default === undefined) return;
  if (spec.kind === 'enum') assert.ok(spec.values.includes(spec.default), `the default of ${key} is one of its values`);
  if (spec.kind === 'integer') {
    assert.ok(Number.isSafeInteger(spec.default), `the default of ${key} is whole`);
    assert.ok(
      spec.default >= (spec.min ?? spec.default) && spec.default <= (spec.max ?? spec.default),
      `${key} in range`,
    );
  }
  if (spec.kind === 'duration') {
    for (const text of [spec.default, spec.min ?? '0', spec.max ?? '0']) {
      assert.notEqual(parseDuration(text), undefined, `${key}: ${text} is a duration`);
    }
  }
}
