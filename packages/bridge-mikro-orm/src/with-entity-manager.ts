/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { SqlMikroOrm } from './mikro-orm-module.js';

/** The same MikroORM, seen with another entity manager as its `em`. */
export function withEntityManager(orm: SqlMikroOrm, em: SqlEntityManager): SqlMikroOrm {
  return new Proxy(orm, {
    get(target, property) {
      if (property === 'em') return em;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
