import type { Clock } from '@dbmanager/core';

/** A stream of text. */
export interface TextSink {
  write(text: string): unknown;
}

/** Signals that end `serve`, and the exit code that the shell's convention gives each: 128 and its number. */
export const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** A signal that ends `serve`. */
export type StopSignal = keyof typeof STOP_SIGNALS;

/** What the command touches of its process, so that tests can put themselves in its place. */
export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** True when there is a file at this path, relative to where the command was called. */
  fileExists(path: string): boolean;
  /** All of stdin, as UTF-8. */
  readInput(): Promise<string>;
  /** Calls `listener` at each stop signal instead of ending the process, until the function it returns is called. */
  onStop(listener: (signal: StopSignal) => void): () => void;
  /** Ends the process at once, whatever is still open. */
  exit(code: number): void;
}
