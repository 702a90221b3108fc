import { PlainScalar } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { typePlainScalar } from './scalar-type.js';
import { readSimpleYamlSource } from './simple-yaml-source.js';
import type { SourceNode } from './source-node.js';
import { readYamlSource } from './yaml-source.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_611);
const RUNS = Number(process.env.FUZZ_RUNS ?? 8_000);

/** A tree without the ends of block mappings, where the two readers count trailing lines differently and nothing asks. */
function comparable(node: SourceNode): unknown {
  if (node.kind === 'scalar') return node;
  if (node.kind === 'sequence') return { ...node, items: node.items.map(comparable) };
  const entries = node.entries.map(({ key, value }) => [key, comparable(value)]);
  return { kind: node.kind, start: node.start, entries };
}

const key = fc.constantFrom('a', 'b-1', 'host', 'x.y', '0', 'null', 'c_d', '<<', '- a', '"q"');
const scalar = fc.constantFrom(
  ...[
    'x',
    '5432',
    '-1',
    ':memory:',
    '"a b"',
    "'it'",
    "'it''s'",
    '"a\\n"',
    'a b',
    'a#b',
    'a #b',
    'a: b',
    'a:b',
    'http://h:1/x',
  ],
  ...[
    '`x',
    '@x',
    '%x',
    '*x',
    '&x y',
    '!t x',
    '|',
    '>',
    '- x',
    '-',
    '-x',
    '?',
    '? x',
    ':x',
    '...',
    '---',
    '--- x',
    '~',
    '""',
    "''",
  ],
  ...[
    '{}',
    '[]',
    '{ a: b }',
    '{a: b, c: "d"}',
    '{ a: b,}',
    '[a, b]',
    '[ a , "b c" ]',
    '[a b]',
    '{a:b}',
    '{ a: }',
    '{a: b',
    '[a]x',
    '{ a: b } # c',
  ],
  ...[
    '$' + '{X}',
    '"$' + '{X}"',
    'a $' + '{X:-b c}',
    'a, b',
    'a]',
    'a}',
    'é',
    'a\u00a0b',
    'a\u2028b',
    '# c',
    '#c',
    '',
    'a"b',
    'x ',
    'a  b',
  ],
);
const plainKey = fc.constantFrom('a', 'b-1', 'host', 'x.y', '0', 'null', 'c_d');
const depth = fc.integer({ min: 0, max: 3 });
const line = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(depth, plainKey, scalar)
      .map(([indent, name, value]) => `${'  '.repeat(indent)}${name}: ${value}`),
  },
  { weight: 12, arbitrary: fc.tuple(depth, plainKey).map(([indent, name]) => `${'  '.repeat(indent)}${name}:`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(depth, key, fc.constantFrom(':', ':  ', ' : '), scalar)
      .map(([indent, name, colon, value]) => `${'  '.repeat(indent)}${name}${colon}${value}`),
  },
  { weight: 4, arbitrary: fc.constantFrom('', '  ', '# c', '   # c') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('---', '...', '- x', '  - x', ' odd: 1', 'word', '\tx: 1', 'a:\r', '%YAML 1.2'),
  },
);
const text = fc
  .tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom('', '\n', '\n\n'))
  .map(([lines, end]) => `top:\n${lines.join('\n')}${end}`);

describe('the fast reader', () => {
  it('gives the tree that the yaml package gives, or leaves the text to it', () => {
    let read = 0;
    fc.assert(
      fc.property(text, (input) => {
        const simple = readSimpleYamlSource(input);
        if (simple === undefined) return;
        read++;
        const { root, problems } = readYamlSource(input);
        expect(problems).toEqual([]);
        expect(comparable(simple)).toEqual(comparable(root as SourceNode));
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // a test of nothing would pass too
    expect(read).toBeGreaterThan(RUNS / 40);
  });
});

describe('the typing of unquoted scalars', () => {
  const typed = fc.oneof(
    fc.constantFrom(
      'null',
      'Null',
      '~',
      '',
      'true',
      'False',
      'yes',
      'on',
      '0o17',
      '0x1F',
      '.inf',
      '-.Inf',
      '.nan',
      '1_000',
      '0b1',
      '1e',
      '1:30',
    ),
    fc.stringMatching(/^[-+.0-9eExoa-f]{0,6}$/),
  );

  it('is that of the core schema', () => {
    fc.assert(
      fc.property(typed, (input) => {
        const value = typePlainScalar(input);
        if (value instanceof PlainScalar) expect(value.text).toBe(input);
        expect(value instanceof PlainScalar ? value.value : value).toEqual(valueByYaml(input));
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  /** As the value of a key, so that nothing is a document marker. */
  function valueByYaml(input: string): unknown {
    if (/^[-]$/.test(input)) return input;
    return (parseYaml(`k: ${input}`) as { k: unknown }).k;
  }
});
