import { ConfigError, type ConnectionType, defineOptions } from '@dbmanager/core';
import { formatProblems } from '../src/format-problems.js';
import { type LoadedConfig, type ParseConfigOptions, parseConfig } from '../src/parse-config.js';

/** A server with a password. */
export const SERVER: ConnectionType = {
  type: 'server',
  aliases: ['srv'],
  options: defineOptions({
    dsn: { kind: 'secret-string', description: 'All in one.' },
    host: { kind: 'string', default: 'localhost', description: 'Host.' },
    port: { kind: 'integer', default: 5432, min: 1, max: 65_535, description: 'Port.' },
    user: { kind: 'string', description: 'User.' },
    password: { kind: 'secret', description: 'Password.' },
    mode: { kind: 'enum', values: ['soft', 'hard'], default: 'soft', description: 'Mode.' },
    hosts: { kind: 'string-list', default: [], description: 'Hosts.' },
  }),
};

/** A database in a file. */
export const FILE: ConnectionType = {
  type: 'file',
  options: defineOptions({
    filepath: { kind: 'path', required: true, literals: [':memory:'], description: 'File.' },
  }),
};

/** Options for a text that depends on nothing outside. */
export const OPTIONS: ParseConfigOptions = {
  file: 'databases.yaml',
  providers: [SERVER, FILE],
  bridges: [{ name: 'knex', types: ['server'] }],
  env: {},
  readFile: (path) => {
    throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
  },
};

/** Parses; for texts that are expected to be valid. */
export function parse(text: string | Uint8Array, options: Partial<ParseConfigOptions> = {}): LoadedConfig {
  return parseConfig(text, { ...OPTIONS, ...options });
}

/** The options of each connection by name, secrets revealed by `reveal`. */
export function connectionsOf(loaded: LoadedConfig): Record<string, Record<string, unknown>> {
  return Object.fromEntries(loaded.config.connections.map(({ name, options }) => [name, { ...options }]));
}

/** The problems of an invalid text in the text form; fails for a valid one. */
export function problemsOf(text: string | Uint8Array, options: Partial<ParseConfigOptions> = {}): string {
  try {
    parse(text, options);
  } catch (error) {
    if (error instanceof ConfigError) return formatProblems(error.problems, 'text');
    throw error;
  }
  throw new Error('the configuration is valid');
}

/** The first lines of the problems: no excerpts. */
export function summaryOf(text: string | Uint8Array, options: Partial<ParseConfigOptions> = {}): string[] {
  return problemsOf(text, options)
    .split('\n')
    .filter((line) => / (?:error|warning) |^(?:error|warning) /.test(line));
}
