import {
  CONNECTION_OPTIONS,
  type ConnectionConfig,
  type ConnectionOptions,
  type Engine,
  Lanes,
  type OptionTable,
  type Provider,
  type ProviderContext,
  parseDuration,
  resolvedKey,
  seededRandom,
  silentLogger,
  systemClock,
} from '@dbmanager/core';

/** Options as a provider sees them; what is left out has its default. */
export type TestOptions<O extends object> = Partial<ConnectionOptions & O>;

/** The machine's clock, seeded chance, no logs. */
export const testContext: ProviderContext = { clock: systemClock, random: seededRandom(1), logger: silentLogger };

/** A configuration as the manager would hand it to the provider. */
export function testConfig<C, O extends object>(
  provider: Provider<C, O>,
  options: TestOptions<O> = {},
  name = 'test',
): ConnectionConfig<O> {
  const defaults = { ...defaultsOf(CONNECTION_OPTIONS), ...defaultsOf(provider.options) };
  // The tables say that these are all keys; the types of generic tables cannot.
  return { name, type: provider.type, options: { ...defaults, ...options } as ConnectionConfig<O>['options'] };
}

/** One connection without a manager: an engine and its pools. Use with `await using`, or call `close`. */
export class TestConnection<C> implements AsyncDisposable {
  readonly engine: Engine<C>;
  /** The pools, and where sessions and native handles borrow. */
  readonly lanes: Lanes<C>;

  constructor(engine: Engine<C>, config: ConnectionConfig, context: ProviderContext) {
    this.engine = engine;
    this.lanes = new Lanes(engine, config, context);
  }

  /** Opens the provider; connects nothing. */
  static async open<C, O extends object>(
    provider: Provider<C, O>,
    options?: TestOptions<O>,
    { name = 'test', ...context }: Partial<ProviderContext> & { readonly name?: string } = {},
  ): Promise<TestConnection<C>> {
    const config = testConfig(provider, options, name);
    const complete = { ...testContext, ...context };
    return new TestConnection(await provider.open(config, complete), config, complete);
  }

  /** Closes the pools, then the engine. Rejects when a connection was made and not destroyed. */
  async close(): Promise<void> {
    await this.lanes.close({ drainTimeoutMs: 0 });
    await this.engine.close?.();
    const { created, destroyed } = this.lanes.stats();
    if (created !== destroyed) throw new Error(`${created} connections were created, ${destroyed} destroyed`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function defaultsOf(table: OptionTable): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).map(([key, spec]) => {
      const value = 'default' in spec ? spec.default : undefined;
      return [resolvedKey(key, spec), spec.kind === 'duration' ? parseDuration(String(value)) : value];
    }),
  );
}
