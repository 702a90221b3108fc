import { describeProblem, formatPath, type PlacedProblem, type SourceExcerpt } from '@dbmanager/core';

/** How problems are written: for people, for programs, or as annotations of a GitHub workflow. */
export type ProblemFormat = 'text' | 'json' | 'github';

/**
 * Problems as text, every line ended; the empty string when there are none (`[]` as JSON). No format shows a secret.
 *
 * - `text`: `file:line:col severity path: message`, then the source line with the place underlined.
 * - `json`: an array of `{ file, line, column, severity, path, rule, message }`.
 * - `github`: one workflow command per problem.
 */
export function formatProblems(problems: readonly PlacedProblem[], format: ProblemFormat): string {
  return FORMATS[format](problems);
}

const FORMATS: Readonly<Record<ProblemFormat, (problems: readonly PlacedProblem[]) => string>> = {
  text: (problems) => problems.map(asText).join(''),
  json: (problems) => `${JSON.stringify(problems.map(asRecord), null, 2)}\n`,
  github: (problems) => problems.map(asAnnotation).join(''),
};

function asText(problem: PlacedProblem): string {
  const { place } = problem;
  const excerpt = place?.excerpt === undefined ? '' : underlined(place.line, place.excerpt);
  return `${describeProblem(problem)}\n${excerpt}`;
}

function underlined(line: number, { text, start, length }: SourceExcerpt): string {
  const number = String(line).padStart(5);
  // tabs stay tabs, so that the caret stands under what it marks
  const before = text.slice(0, start).padEnd(start).replace(/[^\t]/g, ' ');
  return `${number} | ${text}\n${' '.repeat(number.length)} | ${before}${'^'.repeat(length)}\n`;
}

function asRecord({ place, path, rule, message, severity = 'error' }: PlacedProblem) {
  return {
    file: place?.file,
    line: place?.line,
    column: place?.column,
    severity,
    path: formatPath(path),
    rule,
    message,
  };
}

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions#setting-an-error-message */
function asAnnotation({ place, path, rule, message, severity = 'error' }: PlacedProblem): string {
  const where = place === undefined ? {} : { file: place.file, line: place.line, col: place.column };
  const properties = Object.entries({ ...where, title: rule })
    .map(([name, value]) => `${name}=${escapeData(String(value)).replaceAll(':', '%3A').replaceAll(',', '%2C')}`)
    .join(',');
  const text = path.length === 0 ? message : `${formatPath(path)}: ${message}`;
  return `::${severity} ${properties}::${escapeData(text)}\n`;
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
