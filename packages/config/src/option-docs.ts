import { type OptionSpec, type OptionTable, SECRET_FILE_SUFFIX } from '@dbmanager/core';

/** A table of options as a Markdown table, for documentation that cannot drift from the code. */
export function optionsMarkdown(table: OptionTable): string {
  const rows = Object.entries(table).flatMap(([key, spec]) => rowsOf(key, spec));
  return ['| Key | Type | Default | Meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function rowsOf(key: string, spec: OptionSpec): string[] {
  const zero = spec.zero === undefined ? '' : ` \`0\`: ${spec.zero}.`;
  const row = `| \`${key}\` | ${typeText(spec)} | ${defaultText(spec)} | ${cell(spec.description + zero)} |`;
  if (spec.kind !== 'secret') return [row];
  return [row, `| \`${key}${SECRET_FILE_SUFFIX}\` | path | | File to read \`${key}\` from, in its place. |`];
}

function defaultText(spec: OptionSpec): string {
  if (spec.required === true) return 'required';
  if (!('default' in spec) || spec.default === undefined) return '';
  return `\`${typeof spec.default === 'object' ? JSON.stringify(spec.default) : String(spec.default)}\``;
}

function typeText(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'enum':
      return spec.values.map((value) => `\`${value}\``).join(', ');
    case 'integer':
    case 'duration':
      return [spec.kind, ...bounds(spec)].join(' ');
    case 'secret-string':
      return 'secret';
    case 'string-list':
      return 'list of texts';
    case 'string-map':
      return 'map of texts';
    case 'string':
      return 'text';
    default:
      return spec.kind;
  }
}

function bounds({ min, max }: { readonly min?: number | string; readonly max?: number | string }): string[] {
  if (min !== undefined && max !== undefined) return [`${min} to ${max}`];
  if (min !== undefined) return [`≥ ${min}`];
  return max === undefined ? [] : [`≤ ${max}`];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
