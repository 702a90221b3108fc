/**
 * A megabyte of configuration from text to checked options: written plainly, which the fast reader takes, and with an
 * anchor, which needs the whole of YAML. Beside it what the `yaml` package takes to parse the same text and check
 * nothing. In a process of its own each time too, since a configuration is read once, by cold code.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '@dbmanager/config';
import { postgresProvider } from '@dbmanager/provider-postgres';
import { parse } from 'yaml';
import { main, type Subject } from './harness.ts';

const SIZE = 1_000_000;
const ONCE = '--once';

function connection(index: number): string {
  return `    service-${index}:
      type: postgres
      host: db${index}.example.com
      port: 5432
      user: app
      password: "$\{PASSWORD}" # from the environment
      database: app${index}
      max_open_conns: 20
      connect_timeout: 5s
      tags: { team: billing, tier: gold }
`;
}

function configuration(firstLine: string): string {
  let text = `${firstLine}\ndbmanager:\n  connections:\n`;
  for (let index = 0; text.length < SIZE; index++) text += connection(index);
  return text;
}

const plain = configuration('# plain');
const anchored = configuration('base: &base { a: b }\ncopy: { <<: *base }');

function check(text: string): void {
  parseConfig(text, { file: 'bench.yaml', providers: [postgresProvider], env: { PASSWORD: 'secret' } });
}

function milliseconds(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function inFreshProcess(): number {
  return Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), ONCE], { encoding: 'utf8' }));
}

const subjects: readonly Subject[] = [
  { name: 'dbmanager, plain', round: async () => milliseconds(() => check(plain)) },
  { name: 'dbmanager, plain, fresh process', round: async () => inFreshProcess() },
  { name: 'dbmanager, with an anchor', round: async () => milliseconds(() => check(anchored)) },
  { name: 'yaml, parse alone', round: async () => milliseconds(() => parse(plain, { maxAliasCount: 100 })) },
];

if (process.argv.includes(ONCE)) {
  console.log(milliseconds(() => check(plain)));
} else {
  await main([{ title: '1 MB of configuration', unit: 'ms', better: 'lower', subjects, against: 'yaml, parse alone' }]);
}
