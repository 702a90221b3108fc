import { afterEach, describe, expect, it } from '@jest/globals';
import { SharedTestServer, type TestServerEndpoint, type TestServerKind } from './describe-with-server.js';
import { engineRows, renderEngines } from './engine-table.js';

const [FIRST, SECOND] = ['DBMANAGER_TEST_FIRST_URL', 'DBMANAGER_TEST_SECOND_URL'];

function server(kind: Partial<TestServerKind<TestServerEndpoint>> = {}): SharedTestServer<TestServerEndpoint> {
  return new SharedTestServer({
    name: 'Fake',
    types: ['fake', 'fraud'],
    urlVariables: [FIRST, SECOND],
    path: '/fake',
    missing: () => undefined,
    start: () => Promise.reject(new Error('starts nothing')),
    endpoint: (url) => ({ version: async () => `1.2 at ${url}` }),
    ...kind,
  });
}

async function row(shared: SharedTestServer<TestServerEndpoint>, started?: Promise<string>) {
  const [first] = await engineRows([shared], () => started);
  return first;
}

afterEach(() => {
  delete process.env[FIRST];
  delete process.env[SECOND];
});

describe('the table of engines', () => {
  it('says of a server that the test kit has started what it is', async () => {
    expect(await row(server(), Promise.resolve('fake://own'))).toEqual({
      types: 'fake, fraud',
      server: 'Fake',
      version: '1.2 at fake://own',
      tested: 'real, started by the test kit',
    });
  });

  it('calls a stand-in one, but not the server that a variable names', async () => {
    const shared = server({ standIn: 'a toy' });
    expect(await row(shared, Promise.resolve('fake://own'))).toMatchObject({ tested: 'stand-in: a toy' });
    process.env[SECOND] = 'fake://given';
    expect(await row(shared)).toMatchObject({ version: '1.2 at fake://given', tested: `real, named by ${SECOND}` });
  });

  it('prefers the first variable that is set, and takes an empty one for unset', async () => {
    process.env[SECOND] = 'fake://second';
    process.env[FIRST] = '';
    expect(server().given).toEqual({ variable: SECOND, url: 'fake://second' });
    process.env[FIRST] = 'fake://first';
    expect(
      await server()
        .get()
        .then((endpoint) => endpoint.version()),
    ).toBe('1.2 at fake://first');
  });

  it('says why an engine was skipped, and when no test asked for it', async () => {
    expect(await row(server({ missing: () => 'it is not installed' }))).toMatchObject({
      version: '-',
      tested: `skipped: no Fake: ${FIRST} or ${SECOND} is not set and it is not installed`,
    });
    expect(await row(server())).toMatchObject({ version: '-', tested: 'not asked for in this run' });
  });

  it('says what is wrong with a server that did not start or does not answer', async () => {
    const refused = server({ endpoint: () => ({ version: () => Promise.reject(new Error('refused\nat x')) }) });
    expect(await row(refused, Promise.resolve('fake://own'))).toMatchObject({ tested: 'failed: Error: refused' });
    expect(await row(server(), Promise.reject(new Error('no port')))).toMatchObject({
      tested: 'failed: Error: no port',
    });
  });

  it('has a row for each engine that is part of the process, with its version', async () => {
    const rows = await engineRows([], () => undefined);
    expect(rows.map(({ types, tested }) => [types, tested])).toEqual([
      ['sqlite', 'real, in the process'],
      ['kv', 'real, in the process'],
    ]);
    for (const { version } of rows) expect(version).toMatch(/\d+\.\d+\.\d+$/);
  });

  it('is text in columns', () => {
    const rows = [
      { types: 'a', server: 'Fake', version: '1.2', tested: 'real' },
      { types: 'mysql, mariadb', server: 'F', version: '10.11', tested: 'skipped: why' },
    ];
    expect(renderEngines(rows)).toBe(
      [
        'ENGINE          SERVER  VERSION  TESTED ON',
        'a               Fake    1.2      real',
        'mysql, mariadb  F       10.11    skipped: why',
      ].join('\n'),
    );
  });
});
