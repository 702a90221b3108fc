import { statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { systemClock } from '@dbmanager/core';
import type { CliIo, StopSignal } from './cli-io.js';
import { STOP_SIGNALS } from './cli-io.js';

/** The part of Node's `process` that the command uses. */
export type CliProcess = Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr' | 'env' | 'on' | 'off' | 'exit'>;

/** The real process. A reader that goes away (`dbmanager schema | head`) is no error from now on. */
export function processIo(target: CliProcess = process): CliIo {
  for (const stream of [target.stdout, target.stderr]) stream.on('error', ignoreBrokenPipe);
  return {
    stdout: target.stdout,
    stderr: target.stderr,
    env: target.env,
    clock: systemClock,
    fileExists: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false,
    readInput: () => text(target.stdin),
    onStop(listener) {
      const signals = Object.keys(STOP_SIGNALS) as StopSignal[];
      for (const signal of signals) target.on(signal, listener);
      return () => {
        for (const signal of signals) target.off(signal, listener);
      };
    },
    exit: (code) => target.exit(code),
  };
}

function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
