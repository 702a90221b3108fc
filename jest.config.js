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
  transform: { '^.+\\.ts$': swc },
  moduleNameMapper: {
    '^dbmanager$': '<rootDir>/packages/dbmanager/src/index.ts',
    '^@dbmanager/([^/]+)$': '<rootDir>/packages/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/packages/[^/]+/dist/'],
  watchman: false,
  maxWorkers: 2,
  testTimeout: 20_000,
};
