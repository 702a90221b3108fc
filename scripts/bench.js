// npm run bench [NAME...] [-- --rounds N --json FILE]: runs the named programs of benchmarks/, or all, one after the other.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../benchmarks/', import.meta.url));
const all = readdirSync(root)
  .filter((file) => file.endsWith('.ts') && file !== 'harness.ts')
  .map((file) => file.slice(0, -'.ts'.length));
const args = process.argv.slice(2);
const flagsFrom = args.findIndex((arg) => arg.startsWith('--'));
const wanted = flagsFrom < 0 ? args : args.slice(0, flagsFrom);
const flags = flagsFrom < 0 ? [] : args.slice(flagsFrom);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are: ${all.join(', ')}`);
  process.exit(2);
}
let failed = 0;
for (const name of wanted.length > 0 ? wanted : all) {
  console.log(`\n## ${name}\n`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', `${root}${name}.ts`, ...flags], { stdio: 'inherit' });
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
