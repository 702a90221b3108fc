/** Tests run from the TypeScript sources as ES modules; `npm test` passes --experimental-vm-modules. */
const swc = [
  '@swc/jest',
  {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      target: 'es2022',
    },
    module: { type: 'es6' },
    sourceMaps: 'inline',
  },
];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

/**
 * Before Node 24.9 Jest cannot `require()` an ES module, which Node itself can and which Kysely, MikroORM, Drizzle and tedious
 * need. There these run outside Jest only, in the examples and the command, which are started as processes of their own.
 */
const NEEDS_REQUIRE_OF_ES_MODULES = [
  '<rootDir>/packages/bridge-drizzle/',
  '<rootDir>/packages/bridge-kysely/',
  '<rootDir>/packages/bridge-mikro-orm/',
  '<rootDir>/packages/nestjs/',
  '<rootDir>/packages/provider-mssql/',
  '<rootDir>/packages/testkit/src/tds/',
  'mssql[^/]*\\.test\\.ts$',
  '<rootDir>/packages/dbmanager/src/default-orm.test.ts',
  '<rootDir>/packages/dbmanager/src/drizzle.test.ts',
  '<rootDir>/packages/dbmanager/src/kysely-and-mikro-orm.test.ts',
  '<rootDir>/test/bridges/',
  '<rootDir>/test/cross-orm/',
];
const requiresEsModules = major > 24 || (major === 24 && minor >= 9);

export default {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/global-setup.js',
  globalTeardown: '<rootDir>/test/global-teardown.js',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: [
    '<rootDir>/packages/*/{src,test}/**/*.test.ts',
    '<rootDir>/examples/**/*.test.ts',
    '<rootDir>/test/**/*.test.ts',
  ],
  testPathIgnorePatterns: ['/node_modules/', ...(requiresEsModules ? [] : NEEDS_REQUIRE_OF_ES_MODULES)],
  transform: { '^.+\\.ts$': swc },
  moduleNameMapper: {
    '^dbmanager$': '<rootDir>/packages/dbmanager/src/index.ts',
    '^@dbmanager/([^/]+)$': '<rootDir>/packages/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/packages/[^/]+/dist/'],
  watchman: false,
  // For tables of engines, some of whose drivers are such modules.
  globals: { requiresEsModules },
  maxWorkers: 2,
  // Modules of files that have run stay in memory, on Node 22 up to the limit of the heap, where all that tests do is collect garbage.
  workerIdleMemoryLimit: '1GB',
  // Far beyond what any test takes: what waits for a condition must not fail on a machine that is busy.
  testTimeout: 60_000,
};
