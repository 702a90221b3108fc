import { pathToFileURL } from 'node:url';
import { loadPeer, resolvePeer } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';

/** Keys and values as they are on disk. */
export const AS_BYTES = { keyEncoding: 'view', valueEncoding: 'view' } as const;

/** One step of a batch. */
export type LevelOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** The members of an abstract-level snapshot that are used here. */
export interface LevelSnapshot {
  close(): Promise<void>;
}

/** The members of an abstract-level iterator that are used here. */
export interface LevelIterator {
  next(): Promise<[Uint8Array, Uint8Array] | undefined>;
  nextv(size: number): Promise<[Uint8Array, Uint8Array][]>;
  seek(target: Uint8Array, options: typeof AS_BYTES): void;
  close(): Promise<void>;
}

/** Options of reads. */
export interface LevelReadOptions {
  readonly keyEncoding: 'view';
  readonly valueEncoding: 'view';
  readonly snapshot?: LevelSnapshot | undefined;
  readonly fillCache?: boolean;
}

/** Options of iterators and of `clear`, as abstract-level has them. */
export interface LevelRangeOptions extends LevelReadOptions, Partial<ByteRange> {
  readonly gt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly values?: boolean;
}

/** The members of an abstract-level database that are used here. */
export interface LevelDatabase {
  readonly status: string;
  readonly location?: string;
  readonly supports: { readonly explicitSnapshots?: boolean };
  open(options?: object): Promise<void>;
  close(): Promise<void>;
  get(key: Uint8Array, options: LevelReadOptions): Promise<Uint8Array | undefined>;
  getSync(key: Uint8Array, options: LevelReadOptions): Uint8Array | undefined;
  getMany(keys: readonly Uint8Array[], options: LevelReadOptions): Promise<(Uint8Array | undefined)[]>;
  hasMany(keys: readonly Uint8Array[], options: LevelReadOptions): Promise<boolean[]>;
  batch(operations: readonly LevelOperation[], options: typeof AS_BYTES & { readonly sync: boolean }): Promise<void>;
  clear(options: LevelRangeOptions): Promise<void>;
  iterator(options: LevelRangeOptions): LevelIterator;
  snapshot(): LevelSnapshot;
}

/** Opens folders: what is used of the module classic-level. */
export interface LevelDriver {
  readonly ClassicLevel: new (folder: string, options: object) => LevelDatabase;
}

const REQUEST = { by: 'type kv' };

/** Loads classic-level. Throws `DBM_PACKAGE_NOT_INSTALLED` when it is missing. */
export function loadLevelDriver(connectionName: string): LevelDriver {
  return loadPeer<LevelDriver>('classic-level', import.meta.url, { ...REQUEST, connectionName });
}

/** Loads abstract-level, the very copy that classic-level is built on. */
export function loadAbstractLevel<T>(connectionName: string): T {
  const request = { ...REQUEST, connectionName };
  const driver = pathToFileURL(resolvePeer('classic-level', import.meta.url, request)).href;
  return loadPeer<T>('abstract-level', driver, request);
}

/** True for an open abstract-level database that has snapshots, of whatever make. */
export function isLevelDatabase(value: unknown): value is LevelDatabase {
  const database = value as Partial<LevelDatabase> | null | undefined;
  return (
    typeof database?.batch === 'function' &&
    typeof database.iterator === 'function' &&
    database.status === 'open' &&
    database.supports?.explicitSnapshots === true
  );
}
