import type { QualifiedName, StatementForm } from './statement.js';
import { parseAlteration, parseTableDefinition, textOf } from './table-parser.js';
import type { TokenCursor } from './token-cursor.js';
import { unsupported } from './unsupported.js';

/** What DROP can stand before. */
const DROPPED = 'TABLE VIEW DATABASE SCHEMA INDEX LOGIN USER TYPE PROCEDURE FUNCTION TRIGGER SEQUENCE'.split(' ');

/** Reads CREATE, ALTER, DROP and TRUNCATE. */
export class DefinitionParser {
  readonly #cursor: TokenCursor;

  constructor(cursor: TokenCursor) {
    this.#cursor = cursor;
  }

  form(): StatementForm {
    const cursor = this.#cursor;
    const { value: word } = cursor.next();
    if (word === 'TRUNCATE') {
      cursor.expect('TABLE');
      return { kind: 'truncate', table: cursor.qualifiedName() };
    }
    if (word === 'DROP') return this.#drop();
    return word === 'CREATE' ? this.#create() : this.#alter();
  }

  #create(): StatementForm {
    const cursor = this.#cursor;
    cursor.accept('OR', 'ALTER');
    const unique = cursor.accept('UNIQUE');
    if (!cursor.accept('CLUSTERED')) cursor.accept('NONCLUSTERED');
    if (unique || cursor.sees('INDEX')) return this.#createIndex(unique);
    if (cursor.accept('TABLE')) {
      const name = cursor.qualifiedName();
      const definition = parseTableDefinition(cursor);
      if (cursor.accept('ON')) cursor.name();
      return { kind: 'createTable', name, definition };
    }
    if (cursor.accept('DATABASE')) {
      const name = cursor.name();
      cursor.statementPart();
      return { kind: 'createDatabase', name };
    }
    if (cursor.accept('SCHEMA')) {
      const name = cursor.name();
      if (cursor.accept('AUTHORIZATION')) cursor.name();
      return { kind: 'createSchema', name };
    }
    if (cursor.accept('LOGIN')) return { kind: 'createLogin', name: cursor.name(), password: this.#password() };
    if (cursor.accept('USER')) return this.#user();
    if (cursor.accept('VIEW')) return this.#createView();
    if (cursor.accept('TYPE')) {
      const name = cursor.qualifiedName();
      cursor.expect('AS', 'TABLE');
      parseTableDefinition(cursor);
      return { kind: 'createType', name };
    }
    throw unsupported(`CREATE ${cursor.peek().value}`);
  }

  #createIndex(unique: boolean): StatementForm {
    const cursor = this.#cursor;
    cursor.expect('INDEX');
    const name = cursor.name();
    cursor.expect('ON');
    const table = cursor.qualifiedName();
    const columns = cursor.names();
    if (cursor.accept('INCLUDE')) cursor.names();
    const where = cursor.accept('WHERE') ? cursor.statementPart() : undefined;
    if (cursor.accept('WITH')) cursor.parenthesized();
    return { kind: 'createIndex', name, table, columns, unique, where };
  }

  #createView(): StatementForm {
    const cursor = this.#cursor;
    const name = cursor.qualifiedName();
    if (cursor.sees('(')) cursor.names();
    cursor.expect('AS');
    const query = cursor.until(() => false);
    return {
      kind: 'createView',
      name,
      query,
      text: `CREATE VIEW ${name.map(bracketed).join('.')} AS ${textOf(query)}`,
    };
  }

  /** WITH PASSWORD = '…', and options of no meaning here. */
  #password(): string | undefined {
    const cursor = this.#cursor;
    if (!cursor.accept('WITH', 'PASSWORD', '=')) {
      cursor.statementPart();
      return undefined;
    }
    const { value } = cursor.next();
    cursor.statementPart();
    return value;
  }

  #alter(): StatementForm {
    const cursor = this.#cursor;
    if (cursor.accept('TABLE')) {
      return { kind: 'alterTable', name: cursor.qualifiedName(), alteration: parseAlteration(cursor) };
    }
    if (cursor.accept('DATABASE')) return this.#alterDatabase();
    if (cursor.accept('LOGIN')) return { kind: 'alterLogin', name: cursor.name(), password: this.#password() };
    throw unsupported(`ALTER ${cursor.peek().value}`);
  }

  #alterDatabase(): StatementForm {
    const cursor = this.#cursor;
    const name = cursor.accept('CURRENT') ? undefined : cursor.name();
    cursor.expect('SET');
    const option: string[] = [];
    while (!cursor.atEnd && !cursor.sees(';') && !cursor.sees('WITH')) option.push(cursor.next().value.toUpperCase());
    if (cursor.accept('WITH')) {
      cursor.accept('ROLLBACK');
      cursor.statementPart();
    }
    return { kind: 'alterDatabase', name, option };
  }

  #drop(): StatementForm {
    const cursor = this.#cursor;
    const what = cursor.next().value;
    if (!DROPPED.includes(what)) throw unsupported(`DROP ${what}`);
    const ifExists = cursor.accept('IF', 'EXISTS');
    const names: QualifiedName[] = [];
    do names.push(cursor.qualifiedName());
    while (cursor.accept(','));
    const table = what === 'INDEX' && cursor.accept('ON') ? cursor.qualifiedName() : undefined;
    return { kind: 'drop', what, names, table, ifExists };
  }

  /** Users of a database: every login is one. */
  #user(): StatementForm {
    this.#cursor.statementPart();
    return { kind: 'nothing' };
  }
}

/** A name in brackets. */
function bracketed(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`;
}
