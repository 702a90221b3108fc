import { readFileSync } from 'node:fs';
import { optionsMarkdown } from '@dbmanager/config';
import { expect, it } from '@jest/globals';
import { MSSQL_OPTIONS } from './mssql-options.js';

it('docs/engines/mssql.md has every option as the table has it', () => {
  const page = readFileSync(new URL('../../../docs/engines/mssql.md', import.meta.url), 'utf8');
  const [, documented] = /<!-- options:mssql -->\n\n(.*)\n\n<!-- \/options -->/s.exec(page) ?? [];
  expect(documented).toBe(optionsMarkdown(MSSQL_OPTIONS));
});
