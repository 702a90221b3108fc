import type { PlacedProblem } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { formatProblems } from './format-problems.js';

const PROBLEMS: readonly PlacedProblem[] = [
  {
    path: ['connections', 'primary', 'max_open_cons'],
    rule: 'unknown-key',
    message: 'unknown key; did you mean "max_open_conns"?',
    place: {
      file: 'databases.yaml',
      line: 14,
      column: 7,
      excerpt: { text: '      max_open_cons: 25', start: 6, length: 13 },
    },
  },
  {
    path: ['connections', 'a.b', 'hosts', 1],
    rule: 'wrong-type',
    message: 'must be text: 100%\nnot a list',
    severity: 'warning',
    place: { file: 'a,b:c.yaml', line: 123_456, column: 1 },
  },
  { path: [], rule: 'unknown-variable', message: 'the environment variable X fits nothing' },
];

describe('formatProblems', () => {
  it('as text names the place and underlines it', () => {
    expect(formatProblems(PROBLEMS, 'text')).toBe(
      [
        'databases.yaml:14:7 error connections.primary.max_open_cons: unknown key; did you mean "max_open_conns"?',
        '   14 |       max_open_cons: 25',
        '      |       ^^^^^^^^^^^^^',
        'a,b:c.yaml:123456:1 warning connections."a.b".hosts[1]: must be text: 100%\nnot a list',
        'error the environment variable X fits nothing',
        '',
      ].join('\n'),
    );
  });

  it('as JSON is an array of records', () => {
    expect(JSON.parse(formatProblems(PROBLEMS, 'json'))).toEqual([
      {
        file: 'databases.yaml',
        line: 14,
        column: 7,
        severity: 'error',
        path: 'connections.primary.max_open_cons',
        rule: 'unknown-key',
        message: 'unknown key; did you mean "max_open_conns"?',
      },
      expect.objectContaining({ severity: 'warning', path: 'connections."a.b".hosts[1]' }),
      { severity: 'error', path: '', rule: 'unknown-variable', message: 'the environment variable X fits nothing' },
    ]);
    expect(JSON.parse(formatProblems([], 'json'))).toEqual([]);
  });

  it('as GitHub annotations is one escaped command a line', () => {
    expect(formatProblems(PROBLEMS, 'github').split('\n')).toEqual([
      '::error file=databases.yaml,line=14,col=7,title=unknown-key::connections.primary.max_open_cons: unknown key; did you mean "max_open_conns"?',
      '::warning file=a%2Cb%3Ac.yaml,line=123456,col=1,title=wrong-type::connections."a.b".hosts[1]: must be text: 100%25%0Anot a list',
      '::error title=unknown-variable::the environment variable X fits nothing',
      '',
    ]);
  });

  it('of nothing is nothing', () => {
    expect(formatProblems([], 'text')).toBe('');
    expect(formatProblems([], 'github')).toBe('');
  });
});
