import type { SqlType } from './sql-type.js';

/** A column of a table, as CREATE TABLE has said it. */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  /** The id is of its counter; 0 until the table is made. */
  readonly identity?: { readonly id: number; readonly seed: number; readonly increment: number };
  readonly default?: { readonly name: string; readonly expression: string };
  /** Of a computed column. */
  readonly computed?: { readonly expression: string; readonly persisted: boolean };
  readonly collation?: string;
}

/** A default of a column that is there already. */
export interface ColumnDefault {
  readonly name: string;
  readonly column: string;
  readonly expression: string;
}

/** What becomes of rows that refer to one that goes or changes. */
export type ReferentialAction = 'NO ACTION' | 'CASCADE' | 'SET NULL' | 'SET DEFAULT';

/** A constraint of a table; expressions are T-SQL. */
export type ConstraintDefinition = { readonly name: string } & (
  | { readonly kind: 'primary' | 'unique'; readonly columns: readonly string[] }
  | { readonly kind: 'check'; readonly expression: string }
  | {
      readonly kind: 'foreign';
      readonly columns: readonly string[];
      /** The schema and the name of the table. */
      readonly references: readonly string[];
      readonly referenced: readonly string[];
      readonly onDelete: ReferentialAction;
      readonly onUpdate: ReferentialAction;
      /** By NOCHECK CONSTRAINT. */
      readonly disabled?: boolean;
    }
);

/** An index that is no constraint. */
export interface IndexDefinition {
  readonly name: string;
  readonly columns: readonly string[];
  readonly unique: boolean;
  readonly where?: string;
}

export interface TableDefinition {
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly ConstraintDefinition[];
  readonly indexes: readonly IndexDefinition[];
}

/** What ALTER TABLE does. A name of a constraint that is empty is still to be made up. */
export type TableAlteration =
  | { readonly kind: 'add'; readonly definition: TableDefinition; readonly defaults: readonly ColumnDefault[] }
  | { readonly kind: 'alterColumn'; readonly name: string; readonly type: SqlType; readonly nullable: boolean }
  | {
      readonly kind: 'drop';
      readonly columns: readonly string[];
      readonly constraints: readonly string[];
      readonly ifExists: boolean;
    }
  /** Of one constraint, or of all. */
  | { readonly kind: 'check'; readonly on: boolean; readonly name: string | undefined };
