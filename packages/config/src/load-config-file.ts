import { readFile } from 'node:fs/promises';
import { DbManagerError, errorCode } from '@dbmanager/core';
import { type LoadedConfig, type ParseConfigOptions, parseConfig } from './parse-config.js';

/** As for {@link parseConfig}; the file is the path. */
export type LoadConfigOptions = Omit<ParseConfigOptions, 'file'>;

/**
 * Reads and checks a configuration file. Opens no database.
 *
 * Rejects with `DBM_CONFIG_UNREADABLE` when the file cannot be read, and with a `ConfigError` that lists all problems
 * with their places when its content is not valid.
 *
 * ```ts
 * const { config } = await loadConfigFile('config/dbmanager.yaml', { providers: [sqliteProvider] });
 * ```
 */
export async function loadConfigFile(path: string, options: LoadConfigOptions): Promise<LoadedConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new DbManagerError('DBM_CONFIG_UNREADABLE', `cannot read ${JSON.stringify(path)}: ${errorCode(error)}`, {
      cause: error,
    });
  }
  return parseConfig(bytes, { ...options, file: path });
}
