export * from './postgres-options.js';
