import { SqlError } from '../sql-error.js';
import { INT, NVARCHAR_MAX, type SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import type { TableDefinition } from '../table-definition.js';
import { type Token, tokenize } from '../tsql/lexer.js';
import { parseBatch } from '../tsql/parser.js';
import type { ProcedureArgument, Statement } from '../tsql/statement.js';
import { isToken } from '../tsql/token-cursor.js';
import type { ResolvedTable, TranslationScope } from '../tsql/translation.js';
import { Translator } from '../tsql/translator.js';
import { unsupported } from '../tsql/unsupported.js';
import { textOf } from './conversion.js';
import { runDefinition } from './definitions.js';
import { type Procedure, type ProcedureCall, procedureNamed } from './procedures.js';
import { compileQuery, runQuery } from './query-runner.js';
import { resolveTable } from './resolve-table.js';
import type { ResponseSink } from './response-sink.js';
import type { ServerControl } from './server-control.js';
import type { Session } from './session.js';
import { deadlock, endsStatement, translateError } from './sqlite-errors.js';
import { Variables } from './variables.js';

/** What comes after a statement. */
type Next = 'next' | 'break' | 'continue' | 'return' | 'stop';

const MAX_LOOPS = 1_000_000;

/** The request has been given up by its client. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** An error inside of TRY, on its way to CATCH. */
class Thrown extends Error {
  readonly error: SqlError;

  constructor(error: SqlError) {
    super(error.message);
    this.error = error;
  }
}

/** Runs a batch, or the text of a procedure, for a session. */
export class BatchRunner implements TranslationScope {
  readonly session: Session;
  readonly control: ServerControl;
  readonly sink: ResponseSink;
  /** Aborted with {@link Cancelled}. */
  readonly signal: AbortSignal;
  readonly variables: Variables;
  #tries = 0;

  constructor(
    session: Session,
    control: ServerControl,
    sink: ResponseSink,
    signal: AbortSignal,
    variables: Variables = new Variables(),
  ) {
    this.session = session;
    this.control = control;
    this.sink = sink;
    this.signal = signal;
    this.variables = variables;
  }

  get database(): string {
    return this.session.database.name;
  }

  isSchema(name: string): boolean {
    return this.session.current.catalog.hasSchema(name);
  }

  isTableVariable(name: string): boolean {
    return this.variables.hasTable(name);
  }

  variableType(name: string): SqlType | undefined {
    return this.variables.type(name);
  }

  table(parts: readonly string[]): ResolvedTable {
    return resolveTable(this.session, parts);
  }

  /** Runs T-SQL. False: it ended before its end, by an error that ends batches. Errors go to the sink. */
  async run(sql: string): Promise<boolean> {
    try {
      return (await this.#all(parseBatch(sql))) !== 'stop';
    } catch (error) {
      // Of the text as a whole: what is wrong in a statement has been told.
      if (!(error instanceof SqlError) || error.closes) throw error;
      if (this.#tries > 0) throw this.#thrown(error);
      this.#fail(error);
      return false;
    } finally {
      for (const name of this.variables.tableNames) this.session.temporary.drop(name);
    }
  }

  async #all(statements: readonly Statement[]): Promise<Next> {
    for (const statement of statements) {
      const next = await this.#one(statement);
      if (next !== 'next') return next;
    }
    return 'next';
  }

  async #one(statement: Statement): Promise<Next> {
    this.signal.throwIfAborted();
    try {
      const next = await this.#dispatch(statement);
      if (!['if', 'while', 'block', 'try', 'raiserror'].includes(statement.kind)) this.session.errorNumber = 0;
      return next;
    } catch (error) {
      if (error instanceof Cancelled || error instanceof Thrown) throw error;
      const known = error instanceof SqlError ? error : this.#known(error);
      if (this.#tries > 0) throw this.#thrown(known);
      return this.#fail(known, statement.line);
    }
  }

  #known(error: unknown): SqlError {
    const context = { database: this.database, verb: '', table: undefined, snapshot: false };
    const known = translateError(error, context);
    if (known instanceof SqlError) return known;
    if (known instanceof RangeError)
      return new SqlError(8114, `Error converting data type: ${known.message}.`, { state: 5 });
    throw error;
  }

  /** Inside of TRY nothing is told: CATCH decides. */
  #thrown(error: SqlError): Thrown {
    const { session } = this;
    if (error.closes) throw error;
    if (error.number === 1205) session.rollback((change) => this.sink.environment(change));
    else if (session.open && (session.options.xactAbort || error.reach === 'transaction')) session.doomed = true;
    session.errorNumber = error.number;
    return new Thrown(error);
  }

  /** Tells an error of the statement that begins in `line`, and does what it does to batch and transaction. */
  #fail(error: SqlError, line = 1): Next {
    const { session, sink } = this;
    session.errorNumber = error.number;
    sink.message({ ...error.sqlMessage, line });
    if (error.closes) throw error;
    const raised = error.number >= 50_000 && error.reach === 'statement';
    const takesTransaction = error.reach === 'transaction' || (session.options.xactAbort && !raised);
    if (takesTransaction && session.open) session.rollback((change) => sink.environment(change));
    else if (endsStatement(error)) {
      sink.message({ number: 3621, severity: 0, state: 0, text: 'The statement has been terminated.' });
    }
    sink.done({ error: true });
    return takesTransaction || error.reach === 'batch' ? 'stop' : 'next';
  }

  #dispatch(statement: Statement): Promise<Next> | Next {
    switch (statement.kind) {
      case 'query':
        return this.#then(runQuery(this, statement.tokens));
      case 'assign':
        this.#assign(statement.variable, this.evaluate(statement.expression));
        return 'next';
      case 'declare':
        this.#declare(statement);
        return 'next';
      case 'set':
        return this.#done(() => this.#set(statement.option, statement.value));
      case 'begin':
      case 'commit':
      case 'rollback':
      case 'save':
        return this.#done(() => this.#transaction(statement));
      case 'if':
      case 'while':
      case 'block':
      case 'try':
        return this.#flow(statement);
      case 'break':
      case 'continue':
      case 'return':
        return statement.kind;
      case 'nothing':
        return 'next';
      default:
        return this.#other(statement);
    }
  }

  #other(statement: Statement): Promise<Next> | Next {
    switch (statement.kind) {
      case 'raiserror':
      case 'throw':
      case 'print':
        this.#say(statement);
        return 'next';
      case 'waitfor':
        return this.#then(this.#wait(statement.delay));
      case 'execute':
        return this.#then(this.#execute(statement));
      case 'executeText':
        return this.#executeText(statement.text);
      case 'use':
        return this.#done(() => this.session.use(statement.database, (change) => this.sink.environment(change)));
      case 'insertBulk':
        return this.#done(() => {
          this.session.bulkTable = statement.table;
        });
      case 'kill':
        return this.#done(() => this.control.kill(Number(statement.spid), this.session));
      case 'shutdown':
        this.control.shutdown();
        return 'stop';
      default:
        return this.#then(runDefinition(this, statement));
    }
  }

  async #then(work: Promise<unknown>): Promise<Next> {
    await work;
    return 'next';
  }

  #done(work: () => void): Next {
    work();
    this.sink.done({});
    return 'next';
  }

  async #flow(statement: Extract<Statement, { kind: 'if' | 'while' | 'block' | 'try' }>): Promise<Next> {
    switch (statement.kind) {
      case 'block':
        return this.#all(statement.statements);
      case 'if': {
        const branch = this.#holds(statement.condition) ? statement.then : statement.otherwise;
        return branch === undefined ? 'next' : this.#one(branch);
      }
      case 'while':
        return this.#loop(statement);
      default:
        return this.#try(statement);
    }
  }

  async #loop({ condition, body }: Extract<Statement, { kind: 'while' }>): Promise<Next> {
    for (let loops = 0; this.#holds(condition); loops++) {
      const next = await this.#one(body);
      if (next === 'break') break;
      if (next === 'return' || next === 'stop') return next;
      // Lets a cancellation in.
      if (loops % 100 === 99) await new Promise<void>((resolve) => setImmediate(resolve));
      if (loops > MAX_LOOPS) throw unsupported('so long a loop');
    }
    return 'next';
  }

  async #try({ body, handler }: Extract<Statement, { kind: 'try' }>): Promise<Next> {
    const { session } = this;
    const outer = session.caught;
    this.#tries++;
    try {
      return await this.#all(body);
    } catch (error) {
      if (!(error instanceof Thrown)) throw error;
      session.caught = error.error;
    } finally {
      this.#tries--;
    }
    try {
      return await this.#all(handler);
    } finally {
      session.caught = outer;
    }
  }

  #transaction(statement: Extract<Statement, { kind: 'begin' | 'commit' | 'rollback' | 'save' }>): void {
    const { session } = this;
    const tell = this.sink.environment.bind(this.sink);
    switch (statement.kind) {
      case 'begin':
        session.begin(tell);
        return;
      case 'commit':
        session.commit(tell);
        return;
      case 'save':
        session.save(this.#name(statement.name));
        return;
      default: {
        // The name of the transaction itself, which none of the stand-in's checks, means all of it.
        const saved = statement.name !== undefined && session.rollbackTo(this.#name(statement.name));
        if (!saved) session.rollback(tell);
      }
    }
  }

  /** A name, or what a variable has. */
  #name(name: string): string {
    return name.startsWith('@') ? textOf(this.variables.value(name)) : name;
  }

  #declare({ variables }: Extract<Statement, { kind: 'declare' }>): void {
    for (const { name, type, initial } of variables) {
      if ('columns' in type) {
        this.#declareTable(name, type);
        continue;
      }
      this.variables.declare(name, type);
      if (initial !== undefined) this.#assign(name, this.evaluate(initial));
    }
  }

  /** A table variable is a temporary table that goes with the batch. */
  #declareTable(name: string, definition: TableDefinition): void {
    const { current, temporary } = this.session;
    temporary.drop(name);
    temporary.create(name, definition, current);
    this.variables.declareTable(name);
  }

  #assign(name: string, value: SqlValue): void {
    if (this.variables.assign(name, value)) return;
    throw new SqlError(137, `Must declare the scalar variable "${name}".`, { severity: 15, state: 2, reach: 'batch' });
  }

  /** The value of an expression. */
  evaluate(expression: readonly Token[]): SqlValue {
    const sql = `SELECT ${new Translator(this).expression(expression)}`;
    const row = this.session.sqlite.prepare(sql).raw().get(this.variables.bindings) as SqlValue[] | undefined;
    return row?.[0] ?? null;
  }

  #holds(condition: readonly Token[]): boolean {
    const sql = `SELECT CASE WHEN ${new Translator(this).expression(condition)} THEN 1 ELSE 0 END`;
    const row = this.session.sqlite.prepare(sql).raw().get(this.variables.bindings) as SqlValue[] | undefined;
    return row?.[0] === 1n;
  }

  #set(option: string, value: readonly Token[]): void {
    const { options } = this.session;
    const on = value.some((token) => isToken(token, 'ON'));
    switch (option) {
      case 'XACT_ABORT':
        options.xactAbort = on;
        return;
      case 'NOCOUNT':
        options.noCount = on;
        return;
      case 'LOCK_TIMEOUT':
        options.lockTimeoutMs = Number(value.map(({ text }) => text).join(''));
        return;
      case 'ISOLATION':
        options.isolation = isolationOf(value);
        return;
      case 'IDENTITY_INSERT':
        options.identityInsert = on ? value.slice(0, -1).at(-1)?.value : undefined;
        return;
      case 'IMPLICIT_TRANSACTIONS':
        if (on) throw unsupported('implicit transactions');
        return;
      default: // of no meaning here
    }
  }

  #say({ kind, args }: Extract<Statement, { kind: 'raiserror' | 'throw' | 'print' }>): void {
    const [first = null, second = null, third = null, ...rest] = args.map((argument) => this.evaluate(argument));
    if (kind === 'print') {
      this.sink.message({ number: 0, severity: 0, state: 1, text: textOf(first) });
      return;
    }
    if (kind === 'throw') throw this.#thrownBy(args.length, first, second, third);
    const severity = Number(second ?? 16);
    const state = Number(third ?? 1);
    const number = typeof first === 'bigint' ? Number(first) : 50_000;
    const text = formatted(textOf(first), rest);
    if (severity > 10) throw new SqlError(number, text, { severity, state });
    this.sink.message({ number, severity, state, text });
  }

  #thrownBy(count: number, number: SqlValue, text: SqlValue, state: SqlValue): SqlError {
    const { caught } = this.session;
    if (count > 0) return new SqlError(Number(number), textOf(text), { state: Number(state ?? 1), reach: 'batch' });
    if (caught !== undefined) return caught;
    return new SqlError(10_704, 'To rethrow an error, a THROW statement must be used inside a CATCH block.', {
      severity: 15,
      reach: 'batch',
    });
  }

  async #wait(delay: readonly Token[]): Promise<void> {
    const match = /^(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d{1,7})?))?$/.exec(textOf(this.evaluate(delay)));
    if (match === null)
      throw new SqlError(148, 'Incorrect time syntax in time string used with WAITFOR.', {
        severity: 15,
        reach: 'batch',
      });
    const [, hours, minutes, seconds = '0'] = match;
    const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
    await pause(ms, this.signal);
    this.sink.done({});
  }

  async #execute({ procedure, args, result }: Extract<Statement, { kind: 'execute' }>): Promise<void> {
    const implementation = this.#procedure(procedure);
    const call = this.#call(args);
    const status = await implementation(this, call);
    for (const [index, { output, expression }] of args.entries()) {
      const [token] = expression;
      if (output && token?.kind === 'variable') this.#assign(token.value, call.parameters[index]?.value ?? null);
    }
    if (result !== undefined) this.#assign(result, BigInt(status));
  }

  #procedure(name: readonly string[]): Procedure {
    const procedure = procedureNamed(name.at(-1) ?? '');
    if (procedure === undefined) throw noProcedure(name.join('.'));
    return procedure;
  }

  #call(args: readonly ProcedureArgument[]): ProcedureCall {
    return {
      parameters: args.map(({ name = '', expression, output }) => {
        const [token] = expression;
        // A bare word is text, as in `EXEC sp_rename t, u`.
        const isWord = token?.kind === 'word' && !['NULL', 'DEFAULT'].includes(token.value);
        const value = isWord
          ? token.text
          : token?.kind === 'name'
            ? token.value
            : isToken(token as Token, 'DEFAULT')
              ? null
              : this.evaluate(expression);
        const type = token?.kind === 'variable' ? this.variableType(token.value) : undefined;
        return { name, output, value, type: type ?? (typeof value === 'bigint' ? INT : NVARCHAR_MAX) };
      }),
    };
  }

  /** EXEC ('…'): with variables of its own. */
  async #executeText(text: readonly Token[]): Promise<Next> {
    const inner = new BatchRunner(this.session, this.control, this.sink, this.signal);
    inner.#tries = this.#tries;
    const sql = textOf(this.evaluate(text));
    if (
      [...sql.matchAll(/DECLARE\s+@\w+\s+(?:AS\s+)?([\w.[\]]+)/gi)].some(([, type = '']) =>
        this.session.locksType(type.toLowerCase()),
      )
    ) {
      throw deadlock(this.session.spid);
    }
    return (await inner.run(sql)) ? 'next' : 'stop';
  }

  /** Calls a procedure for a client. Gives its return status; errors go to the sink. */
  async call(name: string, call: ProcedureCall, procedure: Procedure | undefined): Promise<number> {
    const status = await this.guard(() => {
      if (procedure === undefined) throw noProcedure(name);
      return procedure(this, call);
    });
    return status ?? this.session.errorNumber;
  }

  /** What `work` gives; undefined when it failed, which the sink has been told. */
  async guard<T>(work: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Cancelled) throw error;
      this.#fail(error instanceof SqlError ? error : this.#known(error));
      return undefined;
    }
  }

  /** At the end of a request: a transaction that can only be rolled back is. */
  finish(): void {
    const { session, sink } = this;
    if (!session.doomed || !session.open) return;
    const text = 'Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.';
    sink.message(new SqlError(3998, text).sqlMessage);
    session.rollback((change) => sink.environment(change));
    sink.done({ error: true });
  }

  /** Runs the text of sp_executesql and of prepared statements: inside of TRY of the caller errors go to its CATCH. */
  async runText(sql: string, variables: Variables): Promise<boolean> {
    const inner = new BatchRunner(this.session, this.control, this.sink, this.signal, variables);
    inner.#tries = this.#tries;
    return inner.run(sql);
  }

  /** Compiles the queries of a text whose variables nobody has declared; runs nothing. Throws what is wrong with it. */
  compileText(sql: string): void {
    const inner = new BatchRunner(this.session, this.control, this.sink, this.signal, undeclared(sql));
    for (const statement of parseBatch(sql)) {
      if (statement.kind === 'query') compileQuery(inner, statement.tokens);
      else if (statement.kind === 'execute') inner.#procedure(statement.procedure);
    }
  }
}

/** Those of a text in which nobody has declared them. */
function undeclared(sql: string): Variables {
  const variables = new Variables();
  for (const { kind, value } of tokenize(sql)) if (kind === 'variable') variables.declare(value, NVARCHAR_MAX);
  return variables;
}

function noProcedure(name: string): SqlError {
  return new SqlError(2812, `Could not find stored procedure '${name}'.`, { state: 62 });
}

function isolationOf(tokens: readonly Token[]): Session['options']['isolation'] {
  const text = tokens.map(({ value }) => value.toLowerCase()).join(' ');
  const levels = ['read uncommitted', 'read committed', 'repeatable read', 'serializable', 'snapshot'] as const;
  const level = levels.find((candidate) => candidate === text);
  if (level === undefined)
    throw new SqlError(102, `Incorrect syntax near '${text}'.`, { severity: 15, reach: 'batch' });
  return level;
}

/** The text of RAISERROR with its arguments in the places of %s, %d and their like. */
function formatted(text: string, args: readonly SqlValue[]): string {
  let at = 0;
  return text.replace(/%(?:%|-?\d*\.?\d*[sdiu])/g, (place) => (place === '%%' ? '%' : textOf(args[at++] ?? null)));
}

/** Resolves after so long; rejects with the signal's reason. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
}
