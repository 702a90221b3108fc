import type { SqlMessage } from '../sql-error.js';
import type { SqlValue } from '../sql-value.js';
import type { Column, EnvironmentChange } from '../wire/tokens.js';

/** Where what a request gives goes. */
export interface ResponseSink {
  columns(columns: readonly Column[]): void;
  /** Resolves when the next row can come: the client may read slowly. */
  row(columns: readonly Column[], values: readonly SqlValue[]): Promise<void> | undefined;
  /** A statement has ended. */
  done(end: { readonly rowCount?: number | undefined; readonly error?: boolean }): void;
  message(message: SqlMessage): void;
  environment(change: EnvironmentChange): void;
}
