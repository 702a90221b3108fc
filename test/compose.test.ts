import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { TEST_SERVERS } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

interface Service {
  readonly ports: readonly string[];
  readonly healthcheck: unknown;
}

const { services } = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service> };
const urls = parseEnv(read('test/compose.env'));

describe('compose.yaml', () => {
  it('publishes every port on the loopback interface alone, and has a health check for every server', () => {
    for (const [name, { ports, healthcheck }] of Object.entries(services)) {
      expect([name, ports]).toEqual([name, [expect.stringMatching(/^127\.0\.0\.1:\d+:\d+$/)]]);
      expect([name, healthcheck]).toEqual([name, expect.objectContaining({ test: expect.any(Array), retries: 60 })]);
    }
  });

  it.each(Object.keys(services))('has the server of test/compose.env: %s', (name) => {
    const url = new URL(urls[`DBMANAGER_TEST_${name.toUpperCase()}_URL`] as string);
    expect(services[name]?.ports[0]).toMatch(new RegExp(`^${url.hostname}:${url.port}:`));
  });

  it('has a server for every kind that tests run on, and CONTRIBUTING.md names the variables', () => {
    const known = Object.keys(urls);
    expect(known).toHaveLength(Object.keys(services).length);
    const variables = TEST_SERVERS.flatMap(({ kind }) => kind.urlVariables);
    expect(known).toEqual(expect.arrayContaining(variables));
    const page = read('CONTRIBUTING.md');
    expect(variables.filter((variable) => !page.includes(`\`${variable}\``))).toEqual([]);
  });
});
