// node scripts/configuration-docs.js: writes the tables of docs/configuration.md and config/dbmanager.schema.json from the
// option tables. A test holds them together.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DOCS = new URL('../docs/configuration.md', import.meta.url);
const SCHEMA = new URL('../config/dbmanager.schema.json', import.meta.url);

/** `text` with what stands between `<!-- options:NAME -->` and `<!-- /options -->` replaced by `tables[NAME]`. */
export function renderTables(text, tables) {
  return text.replace(/(<!-- options:(\w+) -->\n)[\s\S]*?(<!-- \/options -->)/g, (_, begin, name, end) => {
    if (tables[name] === undefined) throw new Error(`docs/configuration.md asks for unknown options: ${name}`);
    return `${begin}\n${tables[name]}\n\n${end}`;
  });
}

/** The schema as the file holds it. */
export function renderSchema(schema) {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Every table that the page shows, from the packages given. */
export function tablesOf(
  { LIFECYCLE_OPTIONS, POOL_OPTIONS, ROOT_OPTIONS },
  { KNOWN_TYPES, optionsMarkdown },
  providers,
) {
  const byType = [...providers, ...KNOWN_TYPES].map(({ type, options }) => [type, optionsMarkdown(options)]);
  return {
    root: optionsMarkdown(ROOT_OPTIONS),
    lifecycle: optionsMarkdown(LIFECYCLE_OPTIONS),
    pool: optionsMarkdown(POOL_OPTIONS),
    ...Object.fromEntries(byType),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const core = await import('@dbmanager/core');
  const config = await import('@dbmanager/config');
  const { PROVIDERS } = await import('dbmanager');
  writeFileSync(DOCS, renderTables(readFileSync(DOCS, 'utf8'), tablesOf(core, config, PROVIDERS)));
  writeFileSync(SCHEMA, renderSchema(config.jsonSchema(PROVIDERS)));
}
