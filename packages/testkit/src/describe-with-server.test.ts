import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SharedTestServer, type TestRunner } from './describe-with-server.js';

const URL_VARIABLE = 'DBMANAGER_TEST_FAKE_URL';
const { CI } = process.env;

/** Takes down what is registered, and runs nothing. */
function registered(register: (runner: TestRunner) => void): string[] {
  const log: string[] = [];
  const define = (name: string, work: () => void) => {
    log.push(name);
    work();
  };
  const skip = (name: string) => void log.push(`skipped: ${name}`);
  register({
    describe: Object.assign(define, { skip }),
    it: (name) => void log.push(name),
    beforeAll: () => log.push('waits for the server'),
  } as TestRunner);
  return log;
}

function server(missing: string | undefined): SharedTestServer<{ version(): Promise<string> }> {
  return new SharedTestServer({
    name: 'Fake',
    types: ['fake'],
    urlVariables: [URL_VARIABLE],
    path: '/fake',
    missing: () => missing,
    start: () => Promise.reject(new Error('starts nothing')),
    endpoint: () => ({ version: async () => '1' }),
  });
}

describe('suites on a server', () => {
  beforeEach(() => {
    process.env.CI = '';
    process.env[URL_VARIABLE] = 'fake://given';
  });

  afterEach(() => {
    delete process.env[URL_VARIABLE];
    if (CI === undefined) delete process.env.CI;
    else process.env.CI = CI;
  });

  it('run where a URL is given, whatever is missing to start one', () => {
    const suite = (runner: TestRunner) => server('it is not installed').describe('suite', () => {}, runner);
    expect(registered(suite)).toEqual(['suite', 'waits for the server']);
  });

  it('of their own are skipped then, and fail in continuous integration', () => {
    const suite = (runner: TestRunner) => server('it is not installed').describeOwn('suite', () => {}, runner);
    expect(registered(suite)).toEqual(['skipped: suite (no Fake: it is not installed)']);
    process.env.CI = 'true';
    expect(registered(suite)).toEqual(['suite', 'has a Fake to run on']);
  });

  it('of their own start no shared one', () => {
    const suite = (runner: TestRunner) => server(undefined).describeOwn('suite', () => {}, runner);
    expect(registered(suite)).toEqual(['suite']);
  });
});
