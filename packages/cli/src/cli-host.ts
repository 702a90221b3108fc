import type {
  BridgeTarget,
  ConnectionState,
  Logger,
  ManagerConfig,
  PlacedProblem,
  StatementProfile,
} from '@dbmanager/core';
import type { HealthSource, MetricsScraper, StatementsSource } from '@dbmanager/http';
import type { Migrations, MigrationsOptions } from '@dbmanager/migrations';
import type { SqlFiles, SqlType } from '@dbmanager/sql-files';

/** The part of a connection that the command uses. */
export interface CliConnection extends BridgeTarget {
  readonly state: ConnectionState;
  healthCheck(): Promise<void>;
  slowestStatements(limit?: number): readonly StatementProfile[];
}

/** The part of a manager that the command uses; the manager of the package `dbmanager` has it. */
export interface CliManager extends HealthSource, StatementsSource {
  connect(options: { readonly signal?: AbortSignal }): Promise<void>;
  getAll(): ReadonlyMap<string, CliConnection>;
  /** Throws `DBM_PACKAGE_NOT_INSTALLED` without prom-client. */
  metrics(): MetricsScraper;
  /** Of the default connection, unless one is named; throws for a name that there is not. */
  migrations(connection: string | undefined, options: MigrationsOptions): Migrations;
  /** The statements in files, by connection: of those that name a folder, or of all SQL connections in the folder given. */
  sqlFiles(path?: string): ReadonlyMap<string, SqlFiles>;
  close(): Promise<{ readonly drained: boolean; readonly held: Readonly<Record<string, readonly unknown[]>> }>;
}

/** What the command is given by the package that knows providers and ORMs. */
export interface CliHost {
  /** For `--version`. */
  readonly version: string;
  /** Reads and checks a file; opens nothing. Rejects with a `ConfigError`, or `DBM_CONFIG_UNREADABLE`. */
  check(file: string): Promise<{ readonly config: ManagerConfig; readonly warnings: readonly PlacedProblem[] }>;
  /** A manager of a checked file, not connected yet; rejects as `check` does. */
  load(file: string, options: { readonly logger?: Logger }): Promise<CliManager>;
  /** Every type of database that there is, for folders of statements. */
  readonly sqlTypes: readonly SqlType[];
  /** The JSON Schema of the file. */
  schema(): object;
}
