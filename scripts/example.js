// npm run example NAME: runs examples/NAME/main.ts, compiled first where it has a tsconfig.json (decorators).
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const examples = fileURLToPath(new URL('../examples/', import.meta.url));
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const names = readdirSync(examples).filter((name) => existsSync(`${examples}${name}/main.ts`));
const [name, ...args] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.error(`usage: npm run example NAME, with NAME one of: ${names.join(', ')}`);
  process.exit(2);
}
const folder = `${examples}${name}`;
const isCompiled = existsSync(`${folder}/tsconfig.json`);
if (isCompiled) run(compiler, '-p', folder);
run(isCompiled ? `${folder}/dist/main.js` : `${folder}/main.ts`, ...args);

/** Runs a script of Node; ends this process when it fails. */
function run(...argv) {
  const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
