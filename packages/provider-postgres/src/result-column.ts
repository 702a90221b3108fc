import type { ResultColumn } from '@dbmanager/core';
import type { PgDriver, PgField } from './pg-driver.js';

/** `builtins` of pg's types the other way round, in the server's spelling. */
const names = new WeakMap<PgDriver, ReadonlyMap<number, string>>();

/** A column as the server describes it; a type that is not built in is `oid N`, as its name is in the catalogue alone. */
export function resultColumn(driver: PgDriver, { name, dataTypeID }: PgField): ResultColumn {
  let known = names.get(driver);
  if (known === undefined) {
    known = new Map(Object.entries(driver.types.builtins).map(([type, oid]) => [oid, type.toLowerCase()]));
    names.set(driver, known);
  }
  return { name, type: known.get(dataTypeID) ?? `oid ${dataTypeID}` };
}
