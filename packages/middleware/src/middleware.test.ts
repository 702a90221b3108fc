import { runFrameworkSuite } from '../test/framework-suite.js';
import { FRAMEWORKS } from '../test/frameworks.js';

for (const framework of FRAMEWORKS) runFrameworkSuite(framework);
