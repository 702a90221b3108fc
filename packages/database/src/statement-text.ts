import { DbManagerError, type SqlEngine, type SqlLexis, type Statement } from '@dbmanager/core';
import { NamedSql } from './named-sql.js';
import {
  mayBeNative,
  type NamedStatement,
  type NumberedStatement,
  numberPlaceholders,
  rewriteNames,
} from './placeholders.js';
import { SqlTemplate } from './sql-template.js';

/** Values by position, for `?`, or by name, for `:name`. */
export type QueryParams = readonly unknown[] | Readonly<Record<string, unknown>>;

/** A statement and its values, as the methods of a database take them. */
export type StatementText = string | SqlTemplate | NamedSql;

/** Texts that are kept rewritten, for each engine and style: reading one costs more than running many a statement does. */
const KEPT = 500;
/** Longer ones are read each time: they are mostly bulk inserts of ever different length. */
const LONGEST_KEPT = 16_384;
const NO_LEXIS: SqlLexis = {};

/** Rewrites statements to the style of one engine. */
export class StatementTexts {
  static readonly #ofEngines = new WeakMap<object, StatementTexts>();
  readonly #engine: SqlEngine<unknown>;
  readonly #numbered = new Map<string, NumberedStatement>();
  readonly #named = new Map<string, NamedStatement>();

  constructor(engine: SqlEngine<unknown>) {
    this.#engine = engine;
  }

  /** The one of that engine. */
  static of(engine: SqlEngine<unknown>): StatementTexts {
    let texts = StatementTexts.#ofEngines.get(engine);
    if (texts === undefined) {
      texts = new StatementTexts(engine);
      StatementTexts.#ofEngines.set(engine, texts);
    }
    return texts;
  }

  /** The statement as the engine takes it. Throws `DBM_INVALID_OPTION` when values and parameters do not match. */
  statement(text: StatementText, params: QueryParams | undefined, connectionName: string): Statement {
    const statement = this.#rendered(text, params, connectionName);
    if (statement.params !== undefined) assertStorable(statement.params, connectionName);
    return statement;
  }

  #rendered(text: StatementText, params: QueryParams | undefined, connectionName: string): Statement {
    if (typeof text === 'string') {
      if (text.includes('\0'))
        throw notSql('a statement holds no NUL, at which engines end it; give it as a value', connectionName);
      if (params === undefined || Array.isArray(params)) return this.#byPosition(text, params, connectionName);
      if (params !== null && typeof params === 'object') {
        return this.#byName(text, params as Readonly<Record<string, unknown>>, connectionName);
      }
      throw mismatch('parameters are an array of values, or an object of them by name', connectionName);
    }
    if (text instanceof NamedSql) return this.#byName(text.text, text.values, connectionName, `${text.name}: `);
    if (text instanceof SqlTemplate) return text.render(this.#engine);
    throw notSql('a statement is a text, or made by sql`…`', connectionName);
  }

  /** What the engine may have been given for a text, with values by position and by name. */
  renderings(text: string): ReadonlySet<string> {
    const { placeholders, lexis = NO_LEXIS } = this.#engine;
    const named = rewriteNames(text, lexis, placeholders).sql;
    if (placeholders === 'question-mark') return new Set([text, named]);
    return new Set([numberPlaceholders(text, lexis, placeholders).sql, named]);
  }

  #byPosition(text: string, params: readonly unknown[] | undefined, connectionName: string): Statement {
    const { placeholders, lexis = NO_LEXIS } = this.#engine;
    if (placeholders === 'question-mark') return { sql: text, params };
    const { sql, parameterCount } = kept(this.#numbered, text, () => numberPlaceholders(text, lexis, placeholders));
    const given = params?.length ?? 0;
    if (parameterCount !== undefined && parameterCount !== given) {
      throw mismatch(
        `the statement has ${parameterCount} \`?\` placeholders and was given ${given} parameters; ` +
          'an operator with a question mark is written with two (`??`)',
        connectionName,
      );
    }
    if (parameterCount === undefined && given > 0 && !mayBeNative(text, placeholders)) {
      throw mismatch(`the statement has no parameters and was given ${given}`, connectionName);
    }
    return { sql, params };
  }

  /** @param label stands before what is wrong */
  #byName(text: string, params: Readonly<Record<string, unknown>>, connectionName: string, label = ''): Statement {
    const { placeholders, lexis = NO_LEXIS } = this.#engine;
    const { sql, names, unnamed } = kept(this.#named, text, () => rewriteNames(text, lexis, placeholders));
    if (unnamed !== undefined) {
      throw mismatch(`${label}the statement has ${unnamed} beside its named parameters; name them all`, connectionName);
    }
    const missing = names.filter((name) => !Object.hasOwn(params, name) || params[name] === undefined);
    if (missing.length > 0) {
      throw mismatch(`${label}no value was given for ${missing.map((name) => `:${name}`).join(', ')}`, connectionName);
    }
    const unknown = Object.keys(params).filter((name) => !names.includes(name));
    if (unknown.length > 0) {
      throw mismatch(`${label}the statement has no ${unknown.map((name) => `:${name}`).join(', ')}`, connectionName);
    }
    return { sql, params: names.map((name) => params[name]) };
  }
}

/** Throws for values that a driver might send as something else: the text of a function, no date for an invalid one. */
function assertStorable(values: readonly unknown[], connectionName: string): void {
  // By index: it is done for every statement.
  for (let at = 0; at < values.length; at++) {
    const kind = kindOf(values[at]);
    if (kind !== undefined) throw mismatch(`parameter ${at + 1} is ${kind}, which no database stores`, connectionName);
  }
}

function kindOf(value: unknown): string | undefined {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  return value instanceof Date && Number.isNaN(value.getTime()) ? 'an invalid date' : undefined;
}

function kept<T>(texts: Map<string, T>, text: string, make: () => T): T {
  const known = texts.get(text);
  if (known !== undefined) return known;
  const made = make();
  if (text.length > LONGEST_KEPT) return made;
  if (texts.size === KEPT) texts.delete(texts.keys().next().value as string);
  texts.set(text, made);
  return made;
}

function notSql(message: string, connectionName: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option: 'sql' });
}

function mismatch(message: string, connectionName: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option: 'params' });
}
