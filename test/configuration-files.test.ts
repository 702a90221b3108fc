import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as config from '@dbmanager/config';
import * as core from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { BRIDGES, PROVIDERS } from 'dbmanager';
import { parse } from 'yaml';
import { pagesWithTables, renderSchema, renderTables, tablesOf } from '../scripts/configuration-docs.js';

const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name: string) => readFileSync(path(name), 'utf8');
const load = (name: string, profile?: string) =>
  config.loadConfigFile(path(name), { providers: PROVIDERS, bridges: BRIDGES, env: {}, profile });

describe('config/dbmanager.yaml', () => {
  it('is valid with nothing set, in every profile', async () => {
    const { warnings, config: loaded } = await load('config/dbmanager.yaml');
    expect(warnings).toEqual([]);
    expect(loaded.defaultConnection).toBe('primary');
    expect(loaded.connections.map(({ name, type }) => [name, type])).toEqual([
      ['primary', 'sqlite'],
      ['cache', 'sqlite'],
      ['reports', 'sqlite'],
    ]);
    await expect(load('config/dbmanager.yaml', 'development')).resolves.toMatchObject({ profile: 'development' });
  });

  it('keeps its databases in a folder of the clone, whatever the working directory is', async () => {
    const { config: loaded } = await load('config/dbmanager.yaml');
    const options = loaded.connections.map((connection) => connection.options as { filepath?: string });
    expect(options.map(({ filepath }) => filepath)).toEqual([
      path('data/primary.db'),
      ':memory:',
      path('data/reports.db'),
    ]);
  });
});

describe('config/all-engines.yaml', () => {
  it('has a connection of every type there is, and is valid with nothing set', async () => {
    const { warnings, config: loaded } = await load('config/all-engines.yaml');
    expect(warnings).toEqual([]);
    const types = loaded.connections.map(({ type }) => type);
    expect(types.sort()).toEqual(PROVIDERS.map(({ type }) => type).sort());
  });
});

describe('every configuration in config', () => {
  it.each(['config/dbmanager.yaml', 'config/all-engines.yaml'])(
    'is what its schema describes, and names it: %s',
    (name) => {
      const text = read(name);
      const validate = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false }).compile(
        JSON.parse(read('config/dbmanager.schema.json')),
      );
      expect({ valid: validate(parse(text)), errors: validate.errors }).toEqual({ valid: true, errors: null });
      expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=dbmanager.schema.json');
    },
  );
});

// That they are valid is shown with those of all pages, in test/documentation.
describe('what the pages of the engines show', () => {
  it('is a configuration for every type that has a provider', () => {
    const pages = pagesWithTables().filter(({ pathname }) => pathname.includes('/engines/'));
    const text = pages.map((page) => readFileSync(page, 'utf8')).join('\n');
    const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([block]) => block).join('\n');
    const types = [...blocks.matchAll(/type: (\w+)/g)].map(([, type]) => type);
    // The provider of mariadb is that of mysql.
    const expected = PROVIDERS.map(({ type }) => type).filter((type) => type !== 'mysql');
    expect(types).toEqual(expect.arrayContaining(expected));
  });
});

// Written by `node scripts/configuration-docs.js`, after a build.
describe('what is generated from the option tables', () => {
  it('is the schema on disk', () => {
    expect(read('config/dbmanager.schema.json')).toBe(renderSchema(config.jsonSchema(PROVIDERS)));
  });

  const tables = tablesOf(core, config, PROVIDERS);

  it.each(pagesWithTables().map((page) => [basename(page.pathname), page] as const))('is in %s', (_, page) => {
    const text = readFileSync(page, 'utf8');
    expect(text).toBe(renderTables(text, tables));
  });

  it('is a table for every type in docs/configuration.md', () => {
    const page = read('docs/configuration.md');
    for (const name of Object.keys(tables)) expect(page).toContain(`<!-- options:${name} -->`);
  });

  it('is on a page in docs/engines for every type that has a provider', () => {
    const pages = pagesWithTables().filter(({ pathname }) => pathname.includes('/engines/'));
    const text = pages.map((page) => readFileSync(page, 'utf8')).join('\n');
    const types = PROVIDERS.map(({ type }) => type).filter((type) => type in tables);
    expect(types.filter((type) => !text.includes(`<!-- options:${type} -->`))).toEqual([]);
  });
});
