import { DbManagerError, type DbManagerErrorOptions, type ErrorCode } from '@dbmanager/core';
import type { MigrationDirection } from './migration.js';

/** Which step an error is about. */
export interface MigrationPlace {
  readonly version?: bigint | undefined;
  readonly direction?: MigrationDirection | undefined;
  /** The file, and in it the line where the statement begins, where one is known. */
  readonly file?: string | undefined;
  readonly line?: number | undefined;
}

/** An error of migrations: one of the codes that begin with `DBM_MIGRATION_`. */
export class MigrationError extends DbManagerError {
  readonly version: bigint | undefined;
  readonly direction: MigrationDirection | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;

  constructor(
    code: Extract<ErrorCode, `DBM_MIGRATION_${string}`>,
    message: string,
    options: DbManagerErrorOptions & MigrationPlace,
  ) {
    super(code, message, options);
    this.version = options.version;
    this.direction = options.direction;
    this.file = options.file;
    this.line = options.line;
  }
}
