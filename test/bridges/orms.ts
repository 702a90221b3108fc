import type { SqlTestEngine } from '../support/sql-engines.js';
import { drizzleUnderTest } from './drizzle.js';
import { knexUnderTest } from './knex.js';
import { kyselyUnderTest } from './kysely.js';
import { mikroOrmUnderTest } from './mikro-orm.js';
import type { OrmUnderTest } from './orm-under-test.js';
import { typeormUnderTest } from './typeorm.js';

/** Every ORM that there is a bridge for. */
const ORMS: readonly OrmUnderTest[] = [
  knexUnderTest,
  drizzleUnderTest,
  typeormUnderTest,
  kyselyUnderTest,
  mikroOrmUnderTest,
];

/** Those that can drive the engine. */
export function ormsOn({ name }: SqlTestEngine): readonly OrmUnderTest[] {
  return ORMS.filter(({ types }) => types.includes(name));
}
