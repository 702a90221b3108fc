export type { CliConnection, CliHost, CliManager } from './cli-host.js';
export type { CliIo, StopSignal, TextSink } from './cli-io.js';
export * from './process-io.js';
export * from './run-cli.js';
