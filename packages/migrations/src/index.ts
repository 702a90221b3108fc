export { type CreatedMigration, createMigration } from './create-migration.js';
export type {
  CodeMigration,
  Migration,
  MigrationDirection,
  MigrationProgress,
  MigrationScript,
  MigrationStep,
} from './migration.js';
export { MigrationError } from './migration-error.js';
export type { MigrationEntry, MigrationProblem, MigrationState } from './migration-history.js';
export {
  type AppliedMigration,
  Migrations,
  type MigrationsOptions,
  type MigrationsStatus,
  type PlannedMigration,
  type RunOptions,
  type StepsOptions,
} from './migrations.js';
