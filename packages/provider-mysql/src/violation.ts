import type { Violation } from '@dbmanager/provider-server';

/** What stands in backticks. */
const NAME = '(?:[^`]|``)*';
/** Of a key of several columns no single one is at fault. */
const FOREIGN_KEY = new RegExp(
  `\\(\`${NAME}\`\\.\`(?<table>${NAME})\`, CONSTRAINT \`(?<constraint>${NAME})\` FOREIGN KEY \\((?:\`(?<column>${NAME})\`\\))?`,
);

/**
 * What the texts say, as the protocol carries nothing else; texts of a server in another language say nothing. What was
 * violated goes by the number, never by these.
 */
const TEXTS: Readonly<Record<number, RegExp>> = {
  // MySQL puts the table before the key: 'accounts.email'.
  1062: / for key '(?:(?<table>[^'.]*)\.)?(?<constraint>[^']*)'$/,
  1048: /^Column '(?<column>.*)' cannot be null$/,
  1364: /^Field '(?<column>.*)' doesn't have a default value$/,
  1451: FOREIGN_KEY,
  1452: FOREIGN_KEY,
  3819: /^Check constraint '(?<constraint>.*)' is violated\.$/,
  4025: new RegExp(`^CONSTRAINT \`(?<constraint>${NAME})\` failed for \`${NAME}\`\\.\`(?<table>${NAME})\`$`),
};

/** The constraint, table and column that a server's error names. */
export function violationOf({ errno, message }: { readonly errno: number; readonly message: string }): Violation {
  const { constraint, table, column } = TEXTS[errno]?.exec(message)?.groups ?? {};
  return { constraint: plain(constraint), table: plain(table), column: plain(column) };
}

function plain(name: string | undefined): string | undefined {
  return name?.replaceAll('``', '`');
}
