import type { Lease } from '@dbmanager/core';

/** Prefix of the marks Knex writes on connections. */
const KNEX_MARK = '__knex';

/**
 * The connection of a lease as an object of its own for this one checkout: methods run on the driver's connection and are
 * refused with `DBM_LEASE_RELEASED` once the lease is given back; Knex's marks stay here and never reach the next borrower.
 */
export function leasedConnection<C extends object>(lease: Lease<C>): C {
  const marks = {};
  const isMark = (key: string | symbol) => typeof key === 'string' && key.startsWith(KNEX_MARK);
  return new Proxy(lease.connection, {
    get(connection, key) {
      if (isMark(key)) return Reflect.get(marks, key);
      const value: unknown = Reflect.get(connection, key, connection);
      if (typeof value !== 'function' || key === 'constructor') return value;
      return (...args: unknown[]) => Reflect.apply(value, lease.connection, args);
    },
    set(connection, key, value) {
      return isMark(key) ? Reflect.set(marks, key, value) : Reflect.set(connection, key, value, connection);
    },
    has(connection, key) {
      return Reflect.has(isMark(key) ? marks : connection, key);
    },
    deleteProperty(connection, key) {
      return Reflect.deleteProperty(isMark(key) ? marks : connection, key);
    },
  });
}
