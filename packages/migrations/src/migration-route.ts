import type { Migration, MigrationDirection, MigrationScript } from './migration.js';
import { MigrationError } from './migration-error.js';

/** One step from a version to the next. */
export interface RouteStep {
  readonly migration: Migration;
  readonly direction: MigrationDirection;
  readonly script: MigrationScript;
  /** The version before; undefined is nothing. */
  readonly from: bigint | undefined;
  /** The version after. */
  readonly to: bigint | undefined;
}

/** All migrations of a connection, in order, and the ways between them. */
export class MigrationRoute {
  readonly migrations: readonly Migration[];
  readonly #connectionName: string;
  readonly #places: ReadonlyMap<bigint, number>;

  constructor(migrations: readonly Migration[], connectionName: string) {
    this.migrations = migrations;
    this.#connectionName = connectionName;
    this.#places = new Map(migrations.map(({ version }, place) => [version, place]));
  }

  get last(): bigint | undefined {
    return this.migrations.at(-1)?.version;
  }

  /** Throws `DBM_MIGRATION_SOURCE` for a version that there is not; undefined, for nothing, there always is. */
  assertKnown(version: bigint | undefined): void {
    if (version === undefined || this.has(version)) return;
    throw this.#wrong(`there is no migration of version ${version}`, version);
  }

  has(version: bigint): boolean {
    return this.#places.has(version);
  }

  /** Which way leads from one version to another. */
  direction(from: bigint | undefined, to: bigint | undefined): MigrationDirection {
    return isBelow(from, to) ? 'up' : 'down';
  }

  /** The steps that lead in a direction to a version. Throws `DBM_MIGRATION_SOURCE` when one of them cannot be gone. */
  steps(from: bigint | undefined, to: bigint | undefined, direction: MigrationDirection): RouteStep[] {
    const steps: RouteStep[] = [];
    for (let next = this.next(from, to, direction); next !== undefined; next = this.next(next.to, to, direction)) {
      steps.push(next);
    }
    return steps;
  }

  /** The next step in a direction; undefined at the goal, and beyond. */
  next(from: bigint | undefined, to: bigint | undefined, direction: MigrationDirection): RouteStep | undefined {
    return direction === 'up' ? this.#up(from, to) : this.#down(from, to);
  }

  #up(from: bigint | undefined, to: bigint | undefined): RouteStep | undefined {
    if (!isBelow(from, to)) return undefined;
    const place = from === undefined ? 0 : (this.#places.get(from) ?? this.#placeOf(from) - 1) + 1;
    const migration = this.migrations[place];
    if (migration === undefined || isBelow(to, migration.version)) return undefined;
    return { migration, direction: 'up', script: migration.up, from, to: migration.version };
  }

  #down(from: bigint | undefined, to: bigint | undefined): RouteStep | undefined {
    if (from === undefined || !isBelow(to, from)) return undefined;
    this.assertKnown(from);
    const place = this.#placeOf(from);
    const migration = this.migrations[place] as Migration;
    if (migration.down === undefined) {
      throw this.#wrong(`there is no way down from version ${from}: it has no .down file`, from);
    }
    const previous = this.migrations[place - 1]?.version;
    return { migration, direction: 'down', script: migration.down, from, to: previous };
  }

  /** Where a version stands, or would stand. */
  #placeOf(version: bigint): number {
    const place = this.#places.get(version) ?? this.migrations.findIndex((each) => each.version > version);
    return place === -1 ? this.migrations.length : place;
  }

  #wrong(message: string, version: bigint): MigrationError {
    return new MigrationError('DBM_MIGRATION_SOURCE', message, { connectionName: this.#connectionName, version });
  }
}

/** Whether one version comes before another; nothing comes before all. */
function isBelow(version: bigint | undefined, other: bigint | undefined): boolean {
  if (other === undefined) return false;
  return version === undefined || version < other;
}
