// npm run seeds [-- --results FILE...]: prints the rows of docs/seeds.md with pass, fail or not yet, from the tests whose titles say
// `seeds N: ROW`. Runs those tests, or reads what Jest wrote with `--json --outputFile=FILE`. Exits with 1 when a row fails.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const TITLE = /seeds (\d): /g;
const STATES = { passed: 'pass', failed: 'fail', waiting: 'not yet' };

/** The rows of every document, in the order of the numbers. */
export function readRows(markdown) {
  const rows = [];
  let document;
  for (const line of markdown.split('\n')) {
    document = /^## Document (\d): /.exec(line)?.[1] ?? document;
    const [, feature, meaning, check] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const isRow = line.startsWith('|') && feature !== 'Feature' && !/^-+$/.test(feature);
    if (isRow) rows.push({ document, feature: nameOf(feature), meaning, check });
  }
  return rows.sort((a, b) => Number(a.document) - Number(b.document));
}

/**
 * What Jest's results say of each row, and what is wrong with them: titles that name no row, files that did not run. A skipped test proves
 * nothing.
 */
export function judge(rows, reports) {
  const tests = new Map(rows.map((row) => [row, []]));
  const problems = [];
  for (const { name, status, message, assertionResults } of reports.flatMap(({ testResults }) => testResults)) {
    if (status === 'failed' && assertionResults.length === 0) problems.push(`${name} did not run: ${message}`);
    for (const test of assertionResults) {
      for (const { row, text } of rowsOf(test.fullName, rows)) {
        if (row === undefined) problems.push(`no row is called so: ${text}`);
        else tests.get(row).push(test);
      }
    }
  }
  return { rows: rows.map((row) => ({ ...row, ...stateOf(tests.get(row)) })), problems: [...new Set(problems)] };
}

/** The rows that a title names; of rows that begin alike the longest. */
function rowsOf(title, rows) {
  const text = plain(title);
  return [...text.matchAll(TITLE)].map((match) => {
    const rest = text.slice(match.index + match[0].length);
    const named = rows.filter(({ document, feature }) => document === match[1] && startsWithWord(rest, feature));
    return {
      row: named.sort((a, b) => b.feature.length - a.feature.length)[0],
      text: match[0] + rest.split(': ', 1)[0],
    };
  });
}

function startsWithWord(text, word) {
  return text.startsWith(word) && !/[\w-]/.test(text[word.length] ?? ' ');
}

function stateOf(tests) {
  const count = (status) => tests.filter((test) => test.status === status).length;
  const [passed, failed] = [count('passed'), count('failed')];
  const skipped = tests.length - passed - failed;
  const state = failed > 0 ? STATES.failed : passed > 0 ? STATES.passed : STATES.waiting;
  return { state, passed, failed, skipped };
}

/** The first cell of a row without what explains it in brackets. */
function nameOf(cell) {
  return plain(cell).replace(/ \(.*\)$/, '');
}

/** Without what only looks. */
function plain(text) {
  return text.replaceAll('`', '');
}

/** The table for people, with what is wrong below it. */
export function render({ rows, problems }) {
  const cells = rows.map(({ document, feature, state, passed, failed, skipped }) => {
    const counts = [
      [passed, 'passed'],
      [failed, 'failed'],
      [skipped, 'skipped'],
    ];
    const told = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
    return [document, feature, state, told.join(', ')];
  });
  const head = ['DOCUMENT', 'ROW', 'STATE', 'TESTS'];
  const widths = head.map((title, column) =>
    Math.max(...[head, ...cells].map((row) => row[column].length), title.length),
  );
  const lines = [head, ...cells].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  const sums = Object.values(STATES).map((state) => `${rows.filter((row) => row.state === state).length} ${state}`);
  return [...lines, '', sums.join(', '), ...problems.map((problem) => `error: ${problem}`), ''].join('\n');
}

/** True for a file of tests that names a row, or imports a suite beside it that does. */
export function namesRow(file) {
  const text = readFileSync(file, 'utf8');
  if (text.search(TITLE) >= 0) return true;
  const imports = [...text.matchAll(/ from '(\.[^']*)\.js'/g)].map(([, path]) => join(dirname(file), `${path}.ts`));
  return imports.some((path) => existsSync(path) && readFileSync(path, 'utf8').search(TITLE) >= 0);
}

/** Runs every test that names a row, and gives Jest's results. */
function runTests() {
  const files = globSync(['packages/*/{src,test}/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'], {
    cwd: root,
  });
  const naming = files.filter((file) => namesRow(join(root, file)));
  const folder = mkdtempSync(join(tmpdir(), 'dbmanager-seeds-'));
  try {
    const output = join(folder, 'results.json');
    const jest = ['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
    const filter = ['-t', 'seeds \\d: ', '--json', `--outputFile=${output}`, '--runTestsByPath', ...naming];
    // Jest's own report goes to stderr; stdout would be the results once more.
    const { error } = spawnSync(process.execPath, [...jest, ...filter], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (error !== undefined) throw error;
    return JSON.parse(readFileSync(output, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function resultFiles(args) {
  if (args.length === 0) return undefined;
  const [flag, ...files] = args;
  if (flag === '--results' && files.length > 0) return files;
  console.error('usage: npm run seeds [-- --results FILE...]');
  process.exit(2);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = resultFiles(process.argv.slice(2));
  const reports = files?.map((file) => JSON.parse(readFileSync(file, 'utf8'))) ?? [runTests()];
  const judged = judge(readRows(readFileSync(join(root, 'docs/seeds.md'), 'utf8')), reports);
  console.log(render(judged));
  const failed = judged.problems.length > 0 || judged.rows.some(({ state }) => state === STATES.failed);
  process.exit(failed ? 1 : 0);
}
