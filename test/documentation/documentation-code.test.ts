import { execFile } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseConfig } from '@dbmanager/config';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BRIDGES, PROVIDERS } from 'dbmanager';
import { type CodeBlock, codeBlocks } from './code-blocks.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
/** The compiler takes a few seconds; not on a busy machine. */
const TIMEOUT_MS = 240_000;

const pages = globSync(['README.md', 'docs/**/*.md', 'packages/*/README.md'], { cwd: root }).sort();
const blocks = pages.flatMap((page) => codeBlocks(page, readFileSync(join(root, page), 'utf8')));
const typescript = blocks.filter(({ language }) => language === 'ts');
const yaml = blocks.filter(({ language, mark }) => language === 'yaml' && mark === '');
/** Behind the language of a fence. */
const MARKS: Readonly<Record<string, readonly string[]>> = {
  /** Every line of it is an error. */
  ts: ['does-not-compile'],
  /** No configuration, or one with values left out. */
  yaml: ['shortened'],
};

it('finds blocks of code, each with a mark that there is', () => {
  expect(typescript.length).toBeGreaterThan(50);
  expect(yaml.length).toBeGreaterThan(15);
  const unknown = blocks.filter(({ language, mark }) => mark !== '' && !MARKS[language]?.includes(mark));
  expect(unknown.map(placeOf)).toEqual([]);
});

describe('TypeScript on the pages', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbmanager-documentation-'));
  let problems: readonly Problem[];
  beforeAll(async () => {
    problems = await compile(typescript, folder);
  }, TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true }));
  const problemsOf = (block: CodeBlock | undefined) => problems.filter((problem) => problem.block === block);

  it('leans on names that are themselves well typed', () => {
    expect(problemsOf(undefined)).toEqual([]);
  });

  it.each([...new Set(typescript.map(({ page }) => page))])('compiles on the packages as published: %s', (page) => {
    const compiling = typescript.filter((block) => block.page === page && block.mark === '');
    expect(compiling.flatMap(problemsOf).map(({ place, message }) => `${place}: ${message}`)).toEqual([]);
  });

  it('is refused, line by line, where the page says so', () => {
    const refused = typescript.filter(({ mark }) => mark === 'does-not-compile');
    const lines = refused.flatMap(({ page, code }) =>
      code.split('\n').flatMap((line, index) => (line === '' ? [] : [`${page}:${index + 1}`])),
    );
    expect(refused.flatMap(problemsOf).map(({ place }) => place)).toEqual(expect.arrayContaining(lines));
  });
});

describe('YAML on the pages', () => {
  it.each(yaml.map((block) => [placeOf(block), block] as const))(
    'is a valid configuration: %s',
    (_, { page, code }) => {
      const env = Object.fromEntries(
        [...code.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, 'postgres://app@db/app']),
      );
      const setup = { file: join(root, page), providers: PROVIDERS, bridges: BRIDGES, env, readFile: () => 'secret' };
      expect(parseConfig(wholeConfiguration(code), setup).warnings).toEqual([]);
    },
  );
});

/** What the compiler says, and where on a page. */
interface Problem {
  /** Undefined: it is of no block. */
  readonly block: CodeBlock | undefined;
  readonly place: string;
  readonly message: string;
}

const PROBLEM = /^(?<file>[^(\s]+)\((?<line>\d+),\d+\): error (?<message>.*)$/s;

/** One program of all blocks, each a module of its own, for an application that has everything installed. */
async function compile(all: readonly CodeBlock[], folder: string): Promise<readonly Problem[]> {
  const modules = join(root, 'node_modules');
  symlinkSync(modules, join(folder, 'node_modules'));
  for (const file of ['names.ts', 'schema.ts']) cpSync(join(root, 'test/documentation', file), join(folder, file));
  const files = new Map(all.map((block) => [`${placeOf(block).replaceAll(/[/:]/g, '-')}.ts`, block]));
  for (const [file, { code }] of files) writeFileSync(join(folder, file), code);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  const tsc = run(process.execPath, [join(modules, 'typescript/bin/tsc'), '--pretty', 'false'], { cwd: folder });
  const { stdout } = await tsc.catch((error: { stdout: string }) => error);
  // What explains an error is indented, and follows it.
  return stdout
    .split(/\n(?!\s)/)
    .filter((text) => text.trim() !== '')
    .map((text) => {
      const { file = '', line, message = text } = PROBLEM.exec(text)?.groups ?? {};
      const block = files.get(file);
      return { block, place: `${block?.page ?? file}:${line}`, message };
    });
}

const compilerOptions = {
  module: 'nodenext',
  target: 'es2023',
  lib: ['es2024', 'esnext.disposable'],
  types: ['node'],
  strict: true,
  // Those of ORMs do not all compile (Drizzle's); our own are compiled in test/consumers.
  skipLibCheck: true,
  moduleDetection: 'force',
  experimentalDecorators: true,
  noEmit: true,
};

/** What goes before a part of a configuration, by how far it is indented. */
const HEADS: Readonly<Record<number, readonly string[]>> = { 2: ['dbmanager:'], 4: ['dbmanager:', '  connections:'] };

/** A part of a configuration as one, on the same lines. */
function wholeConfiguration(code: string): string {
  const lines = code.split('\n');
  const first = lines.findIndex((line) => line !== '');
  const head = HEADS[lines[first]?.search(/\S/) ?? 0] ?? [];
  return [...lines.slice(0, first - head.length), ...head, ...lines.slice(first)].join('\n');
}

function placeOf({ page, line }: CodeBlock): string {
  return `${page}:${line}`;
}
