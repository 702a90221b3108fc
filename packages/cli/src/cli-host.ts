import type { ConnectionState, Logger, ManagerConfig, PlacedProblem } from '@dbmanager/core';
import type { HealthSource, MetricsScraper } from '@dbmanager/http';
import type { Migrations, MigrationsOptions } from '@dbmanager/migrations';

/** The part of a manager that the command uses; the manager of the package `dbmanager` has it. */
export interface CliManager extends HealthSource {
  connect(options: { readonly signal?: AbortSignal }): Promise<void>;
  getAll(): ReadonlyMap<string, { readonly state: ConnectionState; healthCheck(): Promise<void> }>;
  /** Throws `DBM_PACKAGE_NOT_INSTALLED` without prom-client. */
  metrics(): MetricsScraper;
  /** Of the default connection, unless one is named; throws for a name that there is not. */
  migrations(connection: string | undefined, options: MigrationsOptions): Migrations;
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
  /** The JSON Schema of the file. */
  schema(): object;
}
