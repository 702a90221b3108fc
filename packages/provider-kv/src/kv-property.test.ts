import { afterAll } from '@jest/globals';
import { levelHome, TemporaryFolder } from '../test/kv-fixture.js';
import { propertySuite } from '../test/property-suite.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

propertySuite('a store in LevelDB', levelHome(folder), 150);
