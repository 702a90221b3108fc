export { SECTION } from './config-document.js';
export * from './format-problems.js';
export * from './json-schema.js';
export * from './load-config-file.js';
export * from './option-docs.js';
export { type LoadedConfig, type ParseConfigOptions, parseConfig } from './parse-config.js';
