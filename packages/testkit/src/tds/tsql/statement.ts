import type { SqlType } from '../sql-type.js';
import type { TableAlteration, TableDefinition } from '../table-definition.js';
import type { Token } from './lexer.js';

/** Where an object is, as far as its name says: with at most a database, a schema and the object. */
export type QualifiedName = readonly string[];

/** An argument of EXEC. */
export interface ProcedureArgument {
  readonly name: string | undefined;
  readonly expression: readonly Token[];
  readonly output: boolean;
}

/** A variable of DECLARE. */
export interface VariableDeclaration {
  readonly name: string;
  /** Of a table variable, the table. */
  readonly type: SqlType | TableDefinition;
  readonly initial: readonly Token[] | undefined;
}

/** A statement of T-SQL, as far as its form has been understood; the rest of it is tokens still. */
export type Statement = { readonly line: number } & (
  | { readonly kind: 'query'; readonly tokens: readonly Token[] }
  | { readonly kind: 'begin'; readonly name: string | undefined }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback'; readonly name: string | undefined }
  | { readonly kind: 'save'; readonly name: string }
  | { readonly kind: 'set'; readonly option: string; readonly value: readonly Token[] }
  | { readonly kind: 'assign'; readonly variable: string; readonly expression: readonly Token[] }
  | { readonly kind: 'declare'; readonly variables: readonly VariableDeclaration[] }
  | {
      readonly kind: 'if';
      readonly condition: readonly Token[];
      readonly then: Statement;
      readonly otherwise: Statement | undefined;
    }
  | { readonly kind: 'while'; readonly condition: readonly Token[]; readonly body: Statement }
  | { readonly kind: 'break' | 'continue' | 'return' | 'nothing' }
  | { readonly kind: 'block'; readonly statements: readonly Statement[] }
  | { readonly kind: 'try'; readonly body: readonly Statement[]; readonly handler: readonly Statement[] }
  | { readonly kind: 'waitfor'; readonly delay: readonly Token[] }
  | { readonly kind: 'raiserror' | 'throw' | 'print'; readonly args: readonly (readonly Token[])[] }
  | { readonly kind: 'kill'; readonly spid: string }
  | { readonly kind: 'use'; readonly database: string }
  | { readonly kind: 'shutdown' }
  | {
      readonly kind: 'execute';
      readonly procedure: QualifiedName;
      readonly args: readonly ProcedureArgument[];
      readonly result: string | undefined;
    }
  | { readonly kind: 'executeText'; readonly text: readonly Token[] }
  | { readonly kind: 'createDatabase' | 'createSchema'; readonly name: string }
  | { readonly kind: 'alterDatabase'; readonly name: string | undefined; readonly option: readonly string[] }
  | { readonly kind: 'createLogin' | 'alterLogin'; readonly name: string; readonly password: string | undefined }
  | { readonly kind: 'createTable'; readonly name: QualifiedName; readonly definition: TableDefinition }
  | { readonly kind: 'alterTable'; readonly name: QualifiedName; readonly alteration: TableAlteration }
  | {
      readonly kind: 'createView';
      readonly name: QualifiedName;
      readonly query: readonly Token[];
      readonly text: string;
    }
  | { readonly kind: 'createType'; readonly name: QualifiedName }
  | {
      readonly kind: 'createIndex';
      readonly name: string;
      readonly table: QualifiedName;
      readonly columns: readonly string[];
      readonly unique: boolean;
      readonly where: readonly Token[] | undefined;
    }
  | {
      readonly kind: 'drop';
      readonly what: string;
      readonly names: readonly QualifiedName[];
      readonly table: QualifiedName | undefined;
      readonly ifExists: boolean;
    }
  | { readonly kind: 'truncate' | 'insertBulk'; readonly table: QualifiedName }
  | { readonly kind: 'reseed'; readonly table: readonly Token[]; readonly value: readonly Token[] }
);

/** A statement without its place. */
export type StatementForm = Statement extends infer S ? (S extends Statement ? Omit<S, 'line'> : never) : never;
