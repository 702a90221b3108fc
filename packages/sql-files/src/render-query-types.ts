import type { SqlComparison } from './compare-engines.js';

/**
 * The text of a file of types that gives `connection.sql()` the names of the statements and of their parameters. It is the same for the
 * same names, whatever machine writes it.
 *
 * @param comparisons of every folder of a configuration; where several have a name, their parameters are alternatives
 */
export function renderQueryTypes(comparisons: readonly SqlComparison[]): string {
  const shapes = new Map<string, Set<string>>();
  for (const { engines } of comparisons) {
    for (const { name, parameters } of [...engines.values()].flatMap((files) => [...files.values()])) {
      shapes.set(name, (shapes.get(name) ?? new Set()).add(shapeOf(parameters)));
    }
  }
  const lines = [...shapes.keys()]
    .sort()
    .map((name) => `    ${key(name)}: ${[...(shapes.get(name) ?? [])].join(' | ')};\n`);
  return `// Written by \`dbmanager sql types\`; do not edit.
export {};

declare module 'dbmanager' {
  interface SqlQueries {
${lines.join('')}  }
}
`;
}

function shapeOf(parameters: readonly string[]): string {
  const members = [...parameters].sort().map((name) => `${key(name)}: unknown`);
  return members.length === 0 ? 'Record<never, never>' : `{ ${members.join('; ')} }`;
}

/** A key as formatters write it: in quotes where it needs them. */
function key(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`;
}
