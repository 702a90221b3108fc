// The application: it asks for handles where it needs them.
import { type ConnectionManager, isDbManagerError } from 'dbmanager';

/** Takes an order; false when there is one with that number already. */
export async function order(mgr: ConnectionManager, number: number, item: string): Promise<boolean> {
  try {
    await mgr.get('shop').transaction(async (tx) => {
      await tx.execute('insert into orders (number, item) values (?, ?)', [number, item]);
      await tx.execute('update stock set pieces = pieces - 1 where item = ?', [item]);
    });
    return true;
  } catch (error) {
    if (isDbManagerError(error, 'DBM_UNIQUE_VIOLATION')) return false;
    throw error;
  }
}
