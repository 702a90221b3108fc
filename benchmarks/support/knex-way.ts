import knexLibrary, { type Knex } from 'knex';
import { CONNECTIONS, type Operations, type Way } from './query-bench.ts';

function operations(knex: Knex): Operations {
  return {
    select: async (id) => knex('items').select('id', 'name').where({ id }),
    insert: async (item) => knex('log').insert({ item, note: 'a note' }),
  };
}

/** Knex; `config` is what it needs to connect by itself. */
export function knexWay(config: Knex.Config): Way {
  return {
    name: 'Knex',
    alone: 'Knex on its own pool',
    own() {
      const knex = knexLibrary({ ...config, pool: { min: 0, max: CONNECTIONS } });
      return { ...operations(knex), close: () => knex.destroy() };
    },
    managed: (connection) => operations(connection.knex()),
  };
}
