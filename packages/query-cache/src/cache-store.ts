import type { CacheStats, StatementResult } from '@dbmanager/core';
import { EVERY_TABLE } from './statement-effects.js';

/** What every result depends on. */
export const EVERYTHING = `table:${EVERY_TABLE}`;

/** Under what a result is found. */
export interface Place {
  /** Of the statement with its values. */
  readonly key: string;
  /** What the result depends on; {@link EVERYTHING} is one of them. */
  readonly names: readonly string[];
}

/** What is known of a statement before it is sent. */
export interface Looked {
  /** What the names of the look stand at; another one after any of them has changed. */
  readonly stamp: string;
  /** The kept result, of the caller's own; undefined when there is none that is still right. */
  readonly result: StatementResult | undefined;
  /** False where no result can be kept at present. */
  readonly keeps: boolean;
}

/** Where results are kept. Nothing it does rejects or throws: what fails is counted, and nothing is kept. */
export interface CacheStore {
  /** Loads what it needs. Throws `DBM_PACKAGE_NOT_INSTALLED` when that is missing. */
  load(): void;
  /** What is kept there; nothing that was read before a {@link bump} of any of its names. */
  look(place: Place): Looked | Promise<Looked>;
  /**
   * Keeps a result that was read after the look that gave `stamp`. It is copied. Resolves when that is done, after the looks that were
   * under way; undefined when it is done already.
   */
  keep(place: Place, stamp: string, result: StatementResult, ttlMs: number): Promise<void> | undefined;
  /** Drops what depends on any of these names, in this process at once. */
  bump(names: Iterable<string>): void;
  /** Resolves when every process has been told of all bumps, or cannot be; undefined when they are told already. */
  told(): Promise<void> | undefined;
  stats(): Pick<CacheStats, 'evictions' | 'errors' | 'held'>;
  /** Frees what it holds, once others have been told of what has changed, or cannot be; it keeps nothing any more. Never rejects. */
  close(): Promise<void> | undefined;
}
