export * from './key-value-table.js';
