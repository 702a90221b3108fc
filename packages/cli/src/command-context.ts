import type { CliHost } from './cli-host.js';
import type { CliIo } from './cli-io.js';

/** What a command is given by the program that it is part of. */
export interface CommandContext {
  readonly io: CliIo;
  readonly host: CliHost;
  readonly done: (exitCode: number) => void;
  readonly fileHelp: string;
  /** The configuration to read, where the command line names it or not. */
  readonly fileOf: (given: string | undefined) => string;
}
