import type { ColumnDefinition } from '../table-definition.js';

/** The default of a column as an expression of SQLite; undefined when it has none. */
export function defaultExpression(
  { identity, default: own }: ColumnDefinition,
  translate: (text: string) => string,
): string | undefined {
  if (identity !== undefined) return `next_identity(${identity.id}, ${identity.seed}, ${identity.increment})`;
  return own === undefined ? undefined : translate(own.expression);
}
