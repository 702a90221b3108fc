// npm run example NAME: runs examples/NAME/main.ts.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../examples/', import.meta.url));
const names = readdirSync(root).filter((name) => existsSync(`${root}${name}/main.ts`));
const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run example NAME, with NAME one of: ${names.join(', ')}`);
  process.exit(2);
}
const { status } = spawnSync(process.execPath, [`${root}${name}/main.ts`, ...args], { stdio: 'inherit' });
process.exit(status ?? 1);
