import { ConfigError } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OPTIONS, parse } from '../test/fake-types.js';
import { formatProblems } from './format-problems.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_612);
const RUNS = Number(process.env.FUZZ_RUNS ?? 1_000);
const MARK = 'hunter2-and-more';

const GOOD = [
  'x-base: &base { port: 6000 }',
  'dbmanager:',
  '  default_connection: a',
  '  max_open_conns: 20 # all',
  '  connections:',
  '    a:',
  '      <<: *base',
  '      type: server',
  `      password: ${MARK}`,
  '      tags: { team: x }',
  '      hosts: [h1, "h2"]',
  '    b: { type: file, filepath: ":memory:" }',
  '  profiles:',
  '    prod: { connections: { a: { connect_timeout: 5s } } }',
  '',
].join('\n');

/** A config or a ConfigError, whose every form can be written and does not hold the secret. */
function judge(input: string | Uint8Array): void {
  try {
    parse(input);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const format of ['text', 'json', 'github'] as const) formatProblems(error.problems, format);
    expect(error.problems.every(({ place }) => place === undefined || (place.line > 0 && place.column > 0))).toBe(true);
  }
}

describe('parseConfig', () => {
  it('gives a config or a ConfigError for any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), judge), { seed: SEED, numRuns: RUNS });
  });

  it('gives a config or a ConfigError for any text of YAML characters', () => {
    const character = fc.constantFrom(...'ab:- \n\t\r#{}[],&*!|>\'"%@`?<$~01.\\\uFEFFé'.split(''));
    const piece = fc.oneof(
      character,
      fc.constantFrom('dbmanager:', 'connections:', '\n  ', '<<: *a', '&a ', 'type: server', '${', '$$', '---\n'),
    );
    const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));
    fc.assert(fc.property(text, judge), { seed: SEED, numRuns: RUNS });
    fc.assert(
      fc.property(text, (tail) => judge(`dbmanager:\n  connections:\n    a: ${tail}`)),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('gives a config or a ConfigError for a good file with lines lost, repeated, moved and broken', () => {
    const lines = GOOD.split('\n');
    const edit = fc.record({
      at: fc.nat(lines.length - 1),
      how: fc.constantFrom('drop', 'repeat', 'indent', 'dedent', 'cut', 'splice'),
      by: fc.constantFrom(' ', '"', '{', '*x', ': ', '- ', '\t', '#', '\0', '$' + '{X}'),
      column: fc.nat(30),
    });
    const edited = fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => {
      const text = [...lines];
      for (const { at, how, by, column } of edits) {
        const line = text[at] ?? '';
        if (how === 'drop') text.splice(at, 1);
        if (how === 'repeat') text.splice(at, 0, line);
        if (how === 'indent') text[at] = `  ${line}`;
        if (how === 'dedent') text[at] = line.slice(2);
        if (how === 'cut') text[at] = line.slice(0, column);
        if (how === 'splice') text[at] = line.slice(0, column) + by + line.slice(column);
      }
      return text.join('\n');
    });
    fc.assert(
      fc.property(edited, (text) => {
        judge(text);
        judge(text.replaceAll('\n', '\r\n'));
        judge(`\uFEFF${text}`);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('never shows a secret, wherever a mistake stands', () => {
    const key = fc.constantFrom('password', 'dsn', 'passwrd', 'pwd', 'secret_key');
    const value = fc.constantFrom(
      MARK,
      `"${MARK}"`,
      `'${MARK}'`,
      `"${MARK}`,
      `"\\z${MARK}"`,
      `@${MARK}`,
      `[${MARK}]`,
      `{ x: ${MARK} }`,
      `|\n        ${MARK}`,
      `${MARK}: x`,
      `&p ${MARK}`,
      `x # ${MARK}`,
      `$\{${MARK}}`,
      `$\{:-${MARK}}`,
    );
    const other = fc.constantFrom(
      'port: 0',
      'prt: 1',
      'mode: sft',
      '<<: 1',
      'port: *p',
      'password: x',
      'password_file: x',
      'type: server',
      '\tx',
      'x: [',
      'tags: 1',
      'host: "$' + '{NONE}"',
    );
    const text = fc
      .tuple(key, value, fc.array(other, { maxLength: 3 }), fc.boolean())
      .map(([name, secret, others, first]) => {
        const line = `${name}: ${secret}`;
        const body = first ? [line, ...others] : [...others, line];
        return `dbmanager:\n  connections:\n    a:\n${body.map((each) => `      ${each}\n`).join('')}`;
      });
    fc.assert(
      fc.property(text, (input) => {
        try {
          parse(input, OPTIONS);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.message).not.toContain(MARK);
          for (const format of ['text', 'json', 'github'] as const) {
            expect(formatProblems(error.problems, format)).not.toContain(MARK);
          }
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});
