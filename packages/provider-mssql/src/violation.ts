import type { Violation } from '@dbmanager/provider-server';

/** A server in English says it in these words, as the protocol carries nothing else; one in another language names nothing. */
const TEXTS: Readonly<Record<number, RegExp>> = {
  515: /^Cannot insert the value NULL into column '(?<column>[^']*)', table '(?<table>[^']*)'/,
  547: /(?: "(?<constraint>[^"]*)")?\. The conflict occurred in database "[^"]*", table "(?<table>[^"]*)"(?:, column '(?<column>[^']*)')?/,
  2601: /object '(?<table>[^']*)' with unique index '(?<constraint>[^']*)'/,
  2627: /constraint '(?<constraint>[^']*)'\. Cannot insert duplicate key in object '(?<table>[^']*)'/,
};
const QUOTED = /"[^"]*"|'[^']*'/g;

/** The constraint, table and column that an error of the server names. */
export function violationOf({ number, message }: { readonly number: number; readonly message: string }): Violation {
  const { constraint, table, column } = TEXTS[number]?.exec(message)?.groups ?? {};
  return { constraint, table: withoutQualifier(table), column };
}

/** Whether error 547 is that of a check constraint rather than of a foreign key: the keyword stands in every language. */
export function isCheckViolation(message: string): boolean {
  return /\bCHECK\b/.test(message.replace(QUOTED, ''));
}

/** `orders.dbo.items` is `items`. */
function withoutQualifier(table: string | undefined): string | undefined {
  return table?.slice(table.lastIndexOf('.') + 1);
}
