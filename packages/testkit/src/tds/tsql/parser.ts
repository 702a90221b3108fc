import { SqlError } from '../sql-error.js';
import { DefinitionParser } from './definition-parser.js';
import { type Token, tokenize } from './lexer.js';
import type { ProcedureArgument, Statement, StatementForm, VariableDeclaration } from './statement.js';
import { parseTableDefinition } from './table-parser.js';
import { isToken, STATEMENT_WORDS, syntaxError, TokenCursor } from './token-cursor.js';

const UNIONS = ['UNION', 'ALL', 'EXCEPT', 'INTERSECT'];

/** Reads a batch. Rejects the whole of it when any of it is no T-SQL (error 102), as the server compiles before it runs. */
export function parseBatch(sql: string): Statement[] {
  return new Parser(tokenize(sql)).batch();
}

class Parser {
  readonly #cursor: TokenCursor;

  constructor(tokens: readonly Token[]) {
    this.#cursor = new TokenCursor(tokens);
  }

  batch(): Statement[] {
    return this.#statements(() => this.#cursor.atEnd);
  }

  #statements(ended: () => boolean): Statement[] {
    const cursor = this.#cursor;
    const statements: Statement[] = [];
    for (;;) {
      while (cursor.accept(';'));
      if (ended()) return statements;
      statements.push(this.#statement(statements.length === 0));
    }
  }

  #statement(first = false): Statement {
    const { line } = this.#cursor.peek();
    const form = this.#form(first);
    this.#cursor.accept(';');
    return { ...form, line } as Statement;
  }

  /** @param first A procedure at the beginning of a batch is called without EXEC. */
  #form(first: boolean): StatementForm {
    const cursor = this.#cursor;
    const token = cursor.peek();
    const parse = token.kind === 'word' ? this.#byWord(token.value) : undefined;
    if (parse !== undefined) return parse();
    if (first && (token.kind === 'word' || token.kind === 'name')) return this.#call(undefined);
    if (isToken(token, '(')) return { kind: 'query', tokens: this.#query() };
    throw cursor.wrong();
  }

  #byWord(word: string): (() => StatementForm) | undefined {
    switch (word) {
      case 'INSERT':
        return () => this.#insert();
      case 'SELECT':
      case 'UPDATE':
      case 'DELETE':
      case 'MERGE':
      case 'WITH':
        return () => ({ kind: 'query', tokens: this.#query() });
      case 'DECLARE':
        return () => this.#declare();
      case 'SET':
        return () => this.#set();
      case 'CREATE':
      case 'ALTER':
      case 'DROP':
      case 'TRUNCATE':
        return () => new DefinitionParser(this.#cursor).form();
      case 'EXEC':
      case 'EXECUTE':
        return () => this.#execute();
      case 'GRANT':
      case 'DENY':
      case 'REVOKE':
        return () => this.#permission();
      case 'RAISERROR':
      case 'THROW':
      case 'PRINT':
        return () => this.#message(word);
      default:
        return this.#flow(word) ?? this.#administration(word);
    }
  }

  #flow(word: string): (() => StatementForm) | undefined {
    const cursor = this.#cursor;
    switch (word) {
      case 'IF':
        return () => this.#if();
      case 'WHILE':
        return () => {
          cursor.next();
          return { kind: 'while', condition: cursor.statementPart(), body: this.#statement() };
        };
      case 'BEGIN':
        return () => this.#begin();
      case 'COMMIT':
      case 'ROLLBACK':
      case 'SAVE':
        return () => this.#endOfTransaction(word);
      case 'BREAK':
      case 'CONTINUE':
        return () => {
          cursor.next();
          return { kind: word === 'BREAK' ? 'break' : 'continue' };
        };
      case 'RETURN':
        return () => {
          cursor.next();
          cursor.statementPart();
          return { kind: 'return' };
        };
      case 'WAITFOR':
        return () => {
          cursor.expect('WAITFOR', 'DELAY');
          return { kind: 'waitfor', delay: cursor.statementPart() };
        };
      default:
        return undefined;
    }
  }

  #administration(word: string): (() => StatementForm) | undefined {
    const cursor = this.#cursor;
    switch (word) {
      case 'USE':
        return () => {
          cursor.next();
          return { kind: 'use', database: cursor.name() };
        };
      case 'KILL':
        return () => {
          cursor.next();
          return { kind: 'kill', spid: cursor.next().value };
        };
      case 'DBCC':
        return () => this.#consistencyCheck();
      case 'SHUTDOWN':
        return () => {
          cursor.next();
          cursor.accept('WITH', 'NOWAIT');
          return { kind: 'shutdown' };
        };
      default:
        return undefined;
    }
  }

  /** DBCC CHECKIDENT ('t', RESEED, 1); the others do nothing here. */
  #consistencyCheck(): StatementForm {
    const cursor = this.#cursor;
    cursor.expect('DBCC');
    const what = cursor.name();
    const args: Token[][] = [];
    if (cursor.accept('(')) {
      do args.push(cursor.statementPart(','));
      while (cursor.accept(','));
      cursor.expect(')');
    }
    if (cursor.accept('WITH')) cursor.statementPart();
    const [table = [], , value] = args;
    return what.toUpperCase() === 'CHECKIDENT' && value !== undefined
      ? { kind: 'reseed', table, value }
      : { kind: 'nothing' };
  }

  /** INSERT BULK says where the rows go that come in a message of their own. */
  #insert(): StatementForm {
    const cursor = this.#cursor;
    if (!cursor.accept('INSERT', 'BULK')) return { kind: 'query', tokens: this.#query() };
    const table = cursor.qualifiedName();
    cursor.parenthesized();
    if (cursor.accept('WITH')) cursor.parenthesized();
    return { kind: 'insertBulk', table };
  }

  /** The tokens of a statement that reads or writes rows. */
  #query(): Token[] {
    const cursor = this.#cursor;
    const verb = cursor.peek().value;
    let main = verb === 'WITH' ? undefined : verb;
    let hasSource = false;
    let hasSet = false;
    let first = true;
    return cursor.until((token) => {
      if (first) {
        first = false;
        return false;
      }
      const previous = cursor.previous as Token;
      const after = (...words: string[]) => words.some((word) => isToken(previous, word));
      if (isToken(token, 'VALUES')) hasSource = true;
      if (token.kind !== 'word' || !STATEMENT_WORDS.has(token.value)) return false;
      if (isToken(previous, '.')) return false;
      switch (token.value) {
        case 'WITH':
          return !isToken(cursor.peek(1), '(');
        case 'SET': {
          const ends = main === 'MERGE' ? !after('UPDATE') : main !== 'UPDATE' || hasSet;
          hasSet = true;
          return ends;
        }
        case 'SELECT':
        case 'EXEC':
        case 'EXECUTE': {
          const continues = main === undefined || after(...UNIONS) || (main === 'INSERT' && !hasSource);
          if (main === undefined) main = 'SELECT';
          hasSource = true;
          return !continues;
        }
        case 'INSERT':
        case 'UPDATE':
        case 'DELETE':
        case 'MERGE': {
          if (after('THEN')) return false;
          const continues = main === undefined;
          main ??= token.value;
          return !continues;
        }
        default:
          return true;
      }
    });
  }

  #declare(): StatementForm {
    const cursor = this.#cursor;
    cursor.expect('DECLARE');
    const variables: VariableDeclaration[] = [];
    do variables.push(this.#variable());
    while (cursor.accept(','));
    return { kind: 'declare', variables };
  }

  #variable(): VariableDeclaration {
    const cursor = this.#cursor;
    const token = cursor.next();
    if (token.kind !== 'variable') throw syntaxError(token);
    cursor.accept('AS');
    if (cursor.accept('TABLE')) return { name: token.value, type: parseTableDefinition(cursor), initial: undefined };
    const type = cursor.type();
    if (type === undefined) return { name: token.value, type: this.#userType(), initial: undefined };
    return { name: token.value, type, initial: cursor.accept('=') ? cursor.statementPart(',') : undefined };
  }

  /** A table type that CREATE TYPE has made. */
  #userType(): VariableDeclaration['type'] {
    const name = this.#cursor.qualifiedName().join('.');
    throw new SqlError(2715, `Cannot find data type ${name}.`, { reach: 'batch' });
  }

  #set(): StatementForm {
    const cursor = this.#cursor;
    cursor.expect('SET');
    const token = cursor.peek();
    if (token.kind === 'variable') {
      cursor.next();
      return { kind: 'assign', variable: token.value, expression: this.#assigned(token) };
    }
    if (cursor.accept('TRANSACTION', 'ISOLATION', 'LEVEL')) {
      return { kind: 'set', option: 'ISOLATION', value: cursor.statementPart() };
    }
    const option = cursor.next().value;
    if (option === 'IDENTITY_INSERT') return { kind: 'set', option, value: cursor.statementPart() };
    while (cursor.accept(',')) cursor.next(); // SET a, b ON
    return { kind: 'set', option, value: cursor.statementPart() };
  }

  /** What follows `SET @x`: also `+=` and its like, written out. */
  #assigned(variable: Token): Token[] {
    const operator = this.#cursor.next();
    const value = this.#cursor.statementPart();
    if (isToken(operator, '=')) return value;
    if (operator.text.length !== 2 || !operator.text.endsWith('=')) throw syntaxError(operator);
    const symbol = (text: string): Token => ({ ...operator, text, value: text });
    return [variable, symbol(operator.text.slice(0, 1)), symbol('('), ...value, symbol(')')];
  }

  #if(): StatementForm {
    const cursor = this.#cursor;
    cursor.expect('IF');
    const condition = cursor.statementPart();
    const then = this.#statement();
    const otherwise = cursor.accept('ELSE') ? this.#statement() : undefined;
    return { kind: 'if', condition, then, otherwise };
  }

  #begin(): StatementForm {
    const cursor = this.#cursor;
    cursor.expect('BEGIN');
    if (cursor.accept('DISTRIBUTED')) throw cursor.wrong();
    if (cursor.accept('TRAN') || cursor.accept('TRANSACTION')) return { kind: 'begin', name: this.#transactionName() };
    if (cursor.accept('TRY')) {
      const body = this.#statements(() => cursor.accept('END', 'TRY'));
      cursor.accept(';');
      cursor.expect('BEGIN', 'CATCH');
      return { kind: 'try', body, handler: this.#statements(() => cursor.accept('END', 'CATCH')) };
    }
    return { kind: 'block', statements: this.#statements(() => cursor.accept('END')) };
  }

  /** The name after BEGIN, COMMIT, ROLLBACK or SAVE TRANSACTION. */
  #transactionName(): string | undefined {
    const token = this.#cursor.peek();
    if (token.kind === 'variable') return this.#cursor.next().value;
    if (token.kind === 'name') return this.#cursor.name();
    return token.kind === 'word' && !STATEMENT_WORDS.has(token.value) ? this.#cursor.name() : undefined;
  }

  #endOfTransaction(word: 'COMMIT' | 'ROLLBACK' | 'SAVE'): StatementForm {
    const cursor = this.#cursor;
    cursor.next();
    const named = cursor.accept('TRAN') || cursor.accept('TRANSACTION');
    if (!named) cursor.accept('WORK');
    const name = named ? this.#transactionName() : undefined;
    if (word === 'ROLLBACK') return { kind: 'rollback', name };
    if (word === 'COMMIT') {
      if (cursor.accept('WITH')) cursor.parenthesized();
      return { kind: 'commit' };
    }
    if (name === undefined) throw cursor.wrong();
    return { kind: 'save', name };
  }

  #message(word: 'RAISERROR' | 'THROW' | 'PRINT'): StatementForm {
    const cursor = this.#cursor;
    cursor.next();
    const kind = ({ RAISERROR: 'raiserror', THROW: 'throw', PRINT: 'print' } as const)[word];
    const listed = kind === 'raiserror' && cursor.accept('(');
    const args: Token[][] = [];
    do {
      const argument = cursor.statementPart(',');
      if (argument.length > 0) args.push(argument);
    } while (cursor.accept(','));
    if (listed) cursor.expect(')');
    if (kind === 'raiserror' && cursor.accept('WITH')) {
      do cursor.name();
      while (cursor.accept(','));
    }
    return { kind, args };
  }

  #execute(): StatementForm {
    const cursor = this.#cursor;
    cursor.next();
    if (cursor.sees('(')) return { kind: 'executeText', text: cursor.parenthesized() };
    const token = cursor.peek();
    if (token.kind !== 'variable') return this.#call(undefined);
    cursor.next();
    cursor.expect('=');
    return this.#call(token.value);
  }

  #call(result: string | undefined): StatementForm {
    const cursor = this.#cursor;
    const procedure = cursor.qualifiedName();
    const args: ProcedureArgument[] = [];
    while (!this.#atEndOfArguments()) {
      args.push(this.#argument());
      if (!cursor.accept(',')) break;
    }
    return { kind: 'execute', procedure, args, result };
  }

  #atEndOfArguments(): boolean {
    const token = this.#cursor.peek();
    return this.#cursor.atEnd || isToken(token, ';') || (token.kind === 'word' && STATEMENT_WORDS.has(token.value));
  }

  #argument(): ProcedureArgument {
    const cursor = this.#cursor;
    const named = cursor.peek().kind === 'variable' && isToken(cursor.peek(1), '=');
    const name = named ? cursor.next().value : undefined;
    if (named) cursor.next();
    const expression = cursor.statementPart(',', 'OUTPUT', 'OUT');
    // An argument is a constant or a variable: anything else is no T-SQL.
    const [first, second] = expression;
    const signed = first !== undefined && isToken(first, '-') && second?.kind === 'number';
    if (expression.length !== (signed ? 2 : 1)) throw syntaxError(second ?? cursor.peek());
    return { name, expression, output: cursor.accept('OUTPUT') || cursor.accept('OUT') };
  }

  #permission(): StatementForm {
    this.#cursor.next();
    this.#cursor.statementPart();
    return { kind: 'nothing' };
  }
}
