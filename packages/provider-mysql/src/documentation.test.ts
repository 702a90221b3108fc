import { readFileSync } from 'node:fs';
import { optionsMarkdown } from '@dbmanager/config';
import { expect, it } from '@jest/globals';
import { MYSQL_OPTIONS } from './mysql-options.js';

it('docs/engines/mysql.md has every option as the table has it', () => {
  const page = readFileSync(new URL('../../../docs/engines/mysql.md', import.meta.url), 'utf8');
  const [, documented] = /<!-- options:mysql -->\n\n(.*)\n\n<!-- \/options -->/s.exec(page) ?? [];
  expect(documented).toBe(optionsMarkdown(MYSQL_OPTIONS));
});
