/** @jest-environment ./test/support/new-york-environment.js */
import { SQL_ENGINES } from '../support/sql-engines.js';
import { bridgeSuite } from './bridge-suite.js';
import { ORMS } from './orms.js';

for (const engine of SQL_ENGINES) {
  for (const orm of ORMS) bridgeSuite(orm, engine);
}
