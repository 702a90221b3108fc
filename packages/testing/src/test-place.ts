import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasTestServer, TestDatabase } from './test-database.js';

/** Where one connection of a test manager stands. */
export interface TestPlace {
  /** Its keys as in the YAML, `type` among them. */
  readonly input: { readonly type: string; readonly [key: string]: unknown };
  /** Removes it, after its connections are closed. Left out: it goes with them. */
  readonly remove?: () => Promise<void>;
}

/** SQLite: in memory, or in a temporary file where readers are to work beside the writer. */
export async function sqlitePlace(readers: boolean): Promise<TestPlace> {
  if (!readers) return { input: { type: 'sqlite', filepath: ':memory:' } };
  const { folder, remove } = await temporaryFolder();
  return { input: { type: 'sqlite', filepath: join(folder, 'test.db') }, remove };
}

/** A key-value database in a temporary folder. */
export async function keyValuePlace(): Promise<TestPlace> {
  const { folder, remove } = await temporaryFolder();
  return { input: { type: 'kv', filepath: join(folder, 'test') }, remove };
}

/** An empty database on a server of the type; undefined where there are none of it. */
export async function serverPlace(type: string): Promise<TestPlace | undefined> {
  if (!hasTestServer(type)) return undefined;
  const database = await TestDatabase.create(type);
  return { input: database.connection, remove: () => database.drop() };
}

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'dbmanager-testing-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
