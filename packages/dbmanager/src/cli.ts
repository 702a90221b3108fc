import { createRequire } from 'node:module';
import { type CliHost, processIo, runCli } from '@dbmanager/cli';
import { jsonSchema, loadConfigFile } from '@dbmanager/config';
import { BRIDGES } from './bridges.js';
import { CHECKS, ConnectionManager, PROVIDERS } from './connection-manager.js';

const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string };

const host: CliHost = {
  version,
  check: (file) => loadConfigFile(file, { providers: PROVIDERS, bridges: BRIDGES, checks: CHECKS }),
  load: (file, options) => ConnectionManager.load(file, options),
  sqlTypes: PROVIDERS,
  schema: () => jsonSchema(PROVIDERS),
};

/** Runs the command with the arguments of this process. The exit code is set, not forced: what is open finishes first. */
export async function main(): Promise<void> {
  process.exitCode = await runCli(process.argv.slice(2), processIo(), host);
}
