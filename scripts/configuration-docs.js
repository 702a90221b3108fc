// node scripts/configuration-docs.js: writes the tables of docs/configuration.md and docs/engines/*.md, and
// config/dbmanager.schema.json, from the option tables. A test holds them together.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ENGINES = new URL('../docs/engines/', import.meta.url);
const SCHEMA = new URL('../config/dbmanager.schema.json', import.meta.url);

/** The pages that show tables. */
export function pagesWithTables() {
  const engines = readdirSync(ENGINES).filter((name) => name.endsWith('.md'));
  return [new URL('../docs/configuration.md', import.meta.url), ...engines.map((name) => new URL(name, ENGINES))];
}

/** `text` with what stands between `<!-- options:NAME -->` and `<!-- /options -->` replaced by `tables[NAME]`. */
export function renderTables(text, tables) {
  return text.replace(/(<!-- options:(\w+) -->\n)[\s\S]*?(<!-- \/options -->)/g, (_, begin, name, end) => {
    if (tables[name] === undefined) throw new Error(`unknown options: ${name}`);
    return `${begin}\n${tables[name]}\n\n${end}`;
  });
}

/** The schema as the file holds it. */
export function renderSchema(schema) {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Every table there is, from the packages given; one for types that share theirs, by the name of the first. */
export function tablesOf(
  {
    CACHE_OPTIONS,
    KEY_VALUE_OPTIONS,
    LIFECYCLE_OPTIONS,
    MIGRATION_OPTIONS,
    POOL_OPTIONS,
    ROOT_OPTIONS,
    SQL_FILE_OPTIONS,
  },
  { optionsMarkdown },
  providers,
) {
  const firsts = providers.filter(({ options }, i) => providers.findIndex((other) => other.options === options) === i);
  const byType = firsts.map(({ type, options }) => [type, optionsMarkdown(options)]);
  return {
    root: optionsMarkdown(ROOT_OPTIONS),
    lifecycle: optionsMarkdown(LIFECYCLE_OPTIONS),
    pool: optionsMarkdown(POOL_OPTIONS),
    migrations: optionsMarkdown(MIGRATION_OPTIONS),
    sql: optionsMarkdown(SQL_FILE_OPTIONS),
    keyValues: optionsMarkdown(KEY_VALUE_OPTIONS),
    cache: optionsMarkdown(CACHE_OPTIONS),
    ...Object.fromEntries(byType),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const core = await import('@dbmanager/core');
  const config = await import('@dbmanager/config');
  const { PROVIDERS } = await import('dbmanager');
  const tables = tablesOf(core, config, PROVIDERS);
  for (const page of pagesWithTables()) writeFileSync(page, renderTables(readFileSync(page, 'utf8'), tables));
  writeFileSync(SCHEMA, renderSchema(config.jsonSchema(PROVIDERS)));
}
