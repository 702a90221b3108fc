import type { SqlFlavour } from './sql-flavour.js';
import type { StoredRow } from './table.js';

/**
 * Rows in groups that one INSERT takes: of the same columns, so that a column that is left out has its default, and not more
 * values and rows than the engine allows.
 */
export function insertBatches(
  rows: readonly StoredRow[],
  { maxBindings, maxRows }: Pick<SqlFlavour, 'maxBindings' | 'maxRows'>,
): StoredRow[][] {
  const groups = Map.groupBy(rows, (row) => Object.keys(row).sort().join());
  return [...groups.values()].flatMap((group) => {
    const columns = Object.keys(group[0] ?? {}).length;
    // Without a column there is no way to write several rows.
    const size = columns === 0 ? 1 : Math.max(1, Math.min(maxRows, Math.floor(maxBindings / columns)));
    return Array.from({ length: Math.ceil(group.length / size) }, (_, index) =>
      group.slice(index * size, (index + 1) * size),
    );
  });
}
