import { drizzleUnderTest } from './drizzle.js';
import { knexUnderTest } from './knex.js';
import { kyselyUnderTest } from './kysely.js';
import { mikroOrmUnderTest } from './mikro-orm.js';
import type { OrmUnderTest } from './orm-under-test.js';
import { typeormUnderTest } from './typeorm.js';

/** Every ORM that there is a bridge for. */
export const ORMS: readonly OrmUnderTest[] = [
  knexUnderTest,
  drizzleUnderTest,
  typeormUnderTest,
  kyselyUnderTest,
  mikroOrmUnderTest,
];
