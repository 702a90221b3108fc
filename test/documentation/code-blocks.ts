/** A block of code on a page. */
export interface CodeBlock {
  /** From the root of the repository: `docs/database.md`. */
  readonly page: string;
  /** Where its fence is. */
  readonly line: number;
  /** What its fence says: `ts`, and behind it what is special about the block, which readers do not see. */
  readonly language: string;
  readonly mark: string;
  /** Its lines, and those of a comment `<!-- ts … -->` above it, each on the line it has on the page; all others are empty. */
  readonly code: string;
}

const BLOCK = /^(?:<!-- ts\n(?:(?!-->).*\n)*-->\n+)?```(?<language>\w+)(?: +(?<mark>.*))?\n(?:(?!```).*\n)*```$/gm;
const DELIMITER = /^(?:<!-- ts|-->|```.*)$/gm;

/** Every block of the page whose fence says a language, in order. */
export function codeBlocks(page: string, text: string): CodeBlock[] {
  return [...text.matchAll(BLOCK)].map(({ 0: block, index, groups: { language = '', mark = '' } = {} }) => ({
    page,
    line: lines(text.slice(0, index + block.indexOf('```'))) + 1,
    language,
    mark,
    code: '\n'.repeat(lines(text.slice(0, index))) + block.replaceAll(DELIMITER, ''),
  }));
}

function lines(text: string): number {
  return text.split('\n').length - 1;
}
