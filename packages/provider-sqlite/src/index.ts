export * from './sqlite-options.js';
