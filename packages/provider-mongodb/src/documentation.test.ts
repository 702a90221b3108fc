import { readFileSync } from 'node:fs';
import { optionsMarkdown } from '@dbmanager/config';
import { expect, it } from '@jest/globals';
import { MONGODB_OPTIONS } from './mongodb-options.js';

it('docs/engines/mongodb.md has every option as the table has it', () => {
  const page = readFileSync(new URL('../../../docs/engines/mongodb.md', import.meta.url), 'utf8');
  const [, documented] = /<!-- options:mongodb -->\n\n(.*)\n\n<!-- \/options -->/s.exec(page) ?? [];
  expect(documented).toBe(optionsMarkdown(MONGODB_OPTIONS));
});
