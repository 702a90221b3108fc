import { readSimpleYamlSource } from './simple-yaml-source.js';
import type { SourceDocument } from './source-node.js';
import { readYamlSource } from './yaml-source.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Reads a YAML text into a tree. Never throws. */
export function readSource(text: string): SourceDocument {
  const forbidden = FORBIDDEN.exec(text);
  if (forbidden !== null) {
    const code = forbidden[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    const range = { start: forbidden.index, end: forbidden.index + 1 };
    return {
      root: undefined,
      problems: [{ rule: 'encoding', message: `this is no text: it holds the control character U+${code}`, ...range }],
    };
  }
  const root = readSimpleYamlSource(text);
  return root === undefined ? readYamlSource(text) : { root, problems: [] };
}
