/** @jest-environment ./test/support/new-york-environment.js */
import { ALL_SQL_ENGINES } from '../support/sql-engines.js';
import { bridgeSuite } from './bridge-suite.js';
import { ormsOn } from './orms.js';

for (const engine of ALL_SQL_ENGINES) {
  for (const orm of ormsOn(engine)) bridgeSuite(orm, engine);
}
