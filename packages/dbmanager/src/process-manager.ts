import { DbManagerError } from '@dbmanager/core';
import type { ConnectionManager } from './connection-manager.js';

/** Across several installed copies of this package there is still one process-wide manager. */
const KEY = Symbol.for('dbmanager.process-manager');
const slot = globalThis as { [KEY]?: ConnectionManager };

/** Makes `manager` the process-wide one. Throws `DBM_ALREADY_SET_UP` when there is one. */
export function setupManager(manager: ConnectionManager): ConnectionManager {
  if (slot[KEY] !== undefined) {
    throw new DbManagerError(
      'DBM_ALREADY_SET_UP',
      'the process-wide manager is set up already; call resetManager first',
    );
  }
  slot[KEY] = manager;
  return manager;
}

/** The process-wide manager. Throws `DBM_NOT_SET_UP` when there is none. */
export function getManager(): ConnectionManager {
  const manager = slot[KEY];
  if (manager === undefined) {
    throw new DbManagerError('DBM_NOT_SET_UP', 'there is no process-wide manager; call setupManager first');
  }
  return manager;
}

/** Forgets the process-wide manager and closes it; does nothing when there is none. */
export async function resetManager(): Promise<void> {
  const manager = slot[KEY];
  delete slot[KEY];
  await manager?.close();
}
