import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { splitBatches } from './split-batches.js';

const LEXIS: SqlLexis = { nestedComments: true, nameQuotes: ['['], nameSigns: '@#', semicolons: 'optional' };

describe('splitBatches', () => {
  it('splits at lines that hold nothing but GO, in any case', () => {
    const script = 'create table a (x int)\ngo\ncreate view b as select x from a\r\n  GO  \r\nselect 1\nGO';
    expect(splitBatches(script, LEXIS)).toEqual([
      { sql: 'create table a (x int)\n', line: 1 },
      { sql: 'create view b as select x from a\r\n', line: 3 },
      { sql: 'select 1\n', line: 5 },
    ]);
  });

  it('takes GO in literals, comments and names for a part of them, and of other words too', () => {
    for (const script of ["select '\nGO\n'", '/*\nGO\n*/ select 1', 'select 1 as [\nGO\n]', 'select go\nfrom\nGOALS']) {
      expect(splitBatches(script, LEXIS)).toEqual([{ sql: script, line: 1 }]);
    }
  });

  it('leaves out what holds nothing but comments', () => {
    expect(splitBatches('-- nothing\nGO\n\nGO\n', LEXIS)).toEqual([]);
  });
});
