import { DbManagerError } from '../errors.js';
import type { ConfigProblem } from '../provider.js';

/** Where in a file a problem stands. */
export interface SourcePlace {
  /** The path as it was given. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** The source line with every secret masked, and what to underline in it; left out where nothing can be shown. */
  readonly excerpt?: SourceExcerpt;
}

/** One line of source, safe to print. */
export interface SourceExcerpt {
  readonly text: string;
  /** From 0, in `text`. */
  readonly start: number;
  /** Characters to underline, at least 1. */
  readonly length: number;
}

/** A problem and, where its source is a file, its place there. */
export interface PlacedProblem extends ConfigProblem {
  readonly place?: SourcePlace;
}

/** Most problems that the message of the error spells out; `problems` always has all. */
const MAX_IN_MESSAGE = 50;

/**
 * A configuration breaks one or more rules. Code `DBM_CONFIG_INVALID`. The message lists the problems, one a line; it and
 * `problems` are free of secrets. `option` is that of the first problem; `connectionName` is there when all are of one
 * connection.
 */
export class ConfigError extends DbManagerError {
  /** All problems, warnings included, in the order of the source. */
  readonly problems: readonly PlacedProblem[];

  constructor(problems: readonly PlacedProblem[]) {
    const errors = problems.filter(isError);
    super('DBM_CONFIG_INVALID', summary(errors), subject(errors));
    this.problems = problems;
  }
}

/** True for a problem that makes the configuration invalid. */
export function isError(problem: ConfigProblem): boolean {
  return problem.severity !== 'warning';
}

/** A path as people write it: `connections.primary.port`, `connections."a.b".hosts[0]`. */
export function formatPath(path: ConfigProblem['path']): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else text += `${text === '' ? '' : '.'}${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}`;
  }
  return text;
}

/** One problem on one line: `databases.yaml:14:7 error connections.primary.port: must be at most 65535, not 70000`. */
export function describeProblem(problem: PlacedProblem): string {
  const { place, path, message } = problem;
  const where = place === undefined ? '' : `${place.file}:${place.line}:${place.column} `;
  return `${where}${problem.severity ?? 'error'} ${path.length === 0 ? '' : `${formatPath(path)}: `}${message}`;
}

function summary(errors: readonly PlacedProblem[]): string {
  const lines = errors.slice(0, MAX_IN_MESSAGE).map((problem) => `\n  ${describeProblem(problem)}`);
  if (errors.length > MAX_IN_MESSAGE) lines.push(`\n  and ${errors.length - MAX_IN_MESSAGE} more`);
  return `the configuration has ${errors.length === 1 ? 'a problem' : `${errors.length} problems`}:${lines.join('')}`;
}

function subject(errors: readonly PlacedProblem[]): {
  connectionName?: string | undefined;
  option?: string | undefined;
} {
  const [first, ...others] = errors.map(({ path, option }) => ({ ...scopeOf(path), ...(option && { option }) }));
  const shared = others.every(({ connectionName }) => connectionName === first?.connectionName);
  return { option: first?.option, connectionName: shared ? first?.connectionName : undefined };
}

/** The connection that a path leads into, and the key there: of a profile as of the configuration itself. */
function scopeOf(path: ConfigProblem['path']): { connectionName?: string; option?: string } {
  const [root, name, key] = path[0] === 'profiles' && path.length > 2 ? path.slice(2) : path;
  if (typeof root !== 'string') return {};
  if (root !== 'connections' || typeof name !== 'string') return { option: root };
  return { connectionName: name, option: typeof key === 'string' ? key : root };
}
