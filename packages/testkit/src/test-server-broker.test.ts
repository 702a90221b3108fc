import { afterEach, describe, expect, it } from '@jest/globals';
import { SharedTestServer, type TestServerEndpoint } from './describe-with-server.js';
import { TestServerBroker } from './test-server-broker.js';

interface FakeEndpoint extends TestServerEndpoint {
  readonly url: string;
}

describe('TestServerBroker', () => {
  const { DBMANAGER_TEST_SERVERS: outer } = process.env;
  const log: string[] = [];
  afterEach(() => {
    log.length = 0;
  });

  /** As each process of a run has it: nothing is shared between two of them but the broker. */
  const fake = (start: () => void = () => undefined) =>
    new SharedTestServer<FakeEndpoint>({
      name: 'Fake',
      types: ['fake'],
      urlVariables: ['DBMANAGER_TEST_FAKE_URL'],
      path: '/fake',
      missing: () => undefined,
      async start() {
        log.push('started');
        start();
        return { url: () => 'fake://1', close: async () => log.push('closed') };
      },
      endpoint: (url) => ({ url, version: async () => '1' }),
    });

  it('starts a server when the first asks, has all share it, and ends it', async () => {
    const server = fake();
    const broker = await TestServerBroker.open([server]);
    expect(broker.url(server)).toBeUndefined();
    const endpoints = await Promise.all([fake().get(), fake().get()]);
    expect(endpoints.map(({ url }) => url)).toEqual(['fake://1', 'fake://1']);
    await expect(broker.url(server)).resolves.toBe('fake://1');
    expect(log).toEqual(['started']);
    await broker.close();
    expect(log).toEqual(['started', 'closed']);
    expect(process.env.DBMANAGER_TEST_SERVERS).toBe(outer);
  });

  it('starts nothing that nobody asks for', async () => {
    await (await TestServerBroker.open([fake()])).close();
    expect(log).toEqual([]);
  });

  it('tells all who ask why a server could not be started', async () => {
    const failing = fake(() => {
      throw new Error('no room');
    });
    await using _broker = await TestServerBroker.open([failing]);
    await expect(fake().get()).rejects.toThrow('no room');
    await expect(fake().get()).rejects.toThrow('no room');
    expect(log).toEqual(['started']);
  });
});
