import type { Database, Transaction } from '@dbmanager/database';

/** Which way a step goes. */
export type MigrationDirection = 'up' | 'down';

/** How far a step has come. */
export interface MigrationProgress {
  readonly version: bigint;
  readonly description: string;
  readonly direction: MigrationDirection;
  /** In the units of the step: statements of a file, rows of a loop. */
  readonly done: number;
  /** Undefined when the step does not know. */
  readonly total: number | undefined;
  readonly elapsedMs: number;
}

/** What the code of a migration works with. */
export interface MigrationStep {
  /** The database: the step's transaction where it has one, else the one connection that migrations run on. */
  readonly db: Database | Transaction;
  /** The transaction, for handles of ORMs (`tx.use(bridge)`); undefined where the step has none. */
  readonly transaction: Transaction | undefined;
  /** Aborted when the run is interrupted. */
  readonly signal: AbortSignal;
  /**
   * Tells how far the step has come, and lets other work have its turn. Rejects with `DBM_ABORTED` when the run has been
   * interrupted, so that a loop which reports its progress can be stopped.
   */
  progress(done: number, total?: number): Promise<void>;
}

/** A migration in code. */
export interface CodeMigration {
  /** Above 0; ordered among those of the folder. */
  readonly version: number | bigint;
  readonly description: string;
  up(step: MigrationStep): Promise<void>;
  /** Left out: there is no way down from here. */
  down?(step: MigrationStep): Promise<void>;
  /**
   * Whether a step is one transaction, whose failure leaves nothing behind; it may then run again after it lost to another
   * transaction. Default: yes where changes of the schema can be rolled back, else no.
   */
  readonly transaction?: boolean;
  /** What tells one edition from another; a change of it is reported. Default: editions are not told apart. */
  readonly checksum?: string;
}

/** What a step runs. */
export type MigrationScript =
  | { readonly kind: 'sql'; readonly file: string; readonly text: string }
  | {
      readonly kind: 'code';
      readonly run: (step: MigrationStep) => Promise<void>;
      readonly transaction: boolean | undefined;
    };

/** A migration, wherever it comes from. */
export interface Migration {
  readonly version: bigint;
  readonly description: string;
  /** Of the way up; undefined where editions are not told apart. */
  readonly checksum: string | undefined;
  readonly up: MigrationScript;
  readonly down: MigrationScript | undefined;
}
