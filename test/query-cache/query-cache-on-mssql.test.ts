import { MSSQL } from '../support/sql-engines.js';
import { runQueryCacheSuite } from './query-cache-suite.js';

runQueryCacheSuite(MSSQL);
