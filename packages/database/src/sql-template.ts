import { DbManagerError, type SqlEngine, type Statement } from '@dbmanager/core';
import { NamedSql } from './named-sql.js';
import { placeholder, spaced } from './placeholders.js';

/** A name for {@link sql}, quoted as the engine quotes names. */
export class SqlIdentifier {
  readonly path: readonly string[];

  constructor(path: readonly string[]) {
    this.path = path;
  }
}

/** A statement, or a part of one, with its values in place; made by {@link sql}. */
export class SqlTemplate {
  readonly #texts: readonly string[];
  readonly #values: readonly unknown[];

  /** @param texts one more than there are values */
  constructor(texts: readonly string[], values: readonly unknown[]) {
    this.#texts = texts;
    this.#values = values;
  }

  /** The statement in the style of an engine. */
  render(engine: Pick<SqlEngine<unknown>, 'placeholders' | 'quoteIdentifier'>): Statement {
    const params: unknown[] = [];
    return { sql: this.#render(engine, params), params };
  }

  #render(engine: Pick<SqlEngine<unknown>, 'placeholders' | 'quoteIdentifier'>, params: unknown[]): string {
    return this.#texts.reduce((sql, text, i) => {
      const value = this.#values[i - 1];
      if (value instanceof SqlTemplate) return sql + value.#render(engine, params) + text;
      if (value instanceof NamedSql) throw notAPart(value);
      if (value instanceof SqlIdentifier) {
        return sql + value.path.map((name) => engine.quoteIdentifier(name)).join('.') + text;
      }
      return sql + spaced(placeholder(params.push(value), engine.placeholders), sql.at(-1), text[0]) + text;
    });
  }
}

/** Its parameters are numbered on their own. */
function notAPart({ name }: NamedSql): DbManagerError {
  return invalid('params', `${name} is a statement of its own; it cannot be a part of another`);
}

function tag(texts: TemplateStringsArray, ...values: readonly unknown[]): SqlTemplate {
  // Called as a function it would take for the text of a statement what may well be a value.
  if (!Array.isArray(texts?.raw)) throw invalid('sql', 'a template is written sql`…`; sql is not called as a function');
  return new SqlTemplate(texts, values);
}

function identifier(...path: readonly [string, ...string[]]): SqlIdentifier {
  if (path.length === 0 || path.some((name) => typeof name !== 'string' || name === '')) {
    throw invalid('params', 'an identifier is made of names, which are texts');
  }
  return new SqlIdentifier(path);
}

function invalid(option: string, message: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { option });
}

/**
 * A statement written with its values in place; each becomes a parameter, never a part of the text. Do not quote them.
 *
 * ```ts
 * const adults = sql`age >= ${18}`;
 * await db.query<User>(sql`select * from ${sql.identifier('users')} where ${adults} and id in (${sql.join(ids)})`);
 * ```
 *
 * A value that is such a template is put in as a part of the statement.
 */
export const sql: typeof tag & {
  /** A name, or a path of names (schema, table), quoted. Throws `DBM_INVALID_OPTION` for what is no name. */
  identifier(...path: readonly [string, ...string[]]): SqlIdentifier;
  /** Values, names or parts one after the other, between them a comma or `separator`. */
  join(parts: readonly unknown[], separator?: SqlTemplate): SqlTemplate;
} = Object.assign(tag, {
  identifier,
  join(parts: readonly unknown[], separator: SqlTemplate = new SqlTemplate([', '], [])) {
    const values = parts.flatMap((part, i) => (i === 0 ? [part] : [separator, part]));
    return new SqlTemplate(
      Array.from({ length: values.length + 1 }, () => ''),
      values,
    );
  },
});
