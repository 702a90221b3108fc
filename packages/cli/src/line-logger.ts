import type { Logger } from '@dbmanager/core';
import type { TextSink } from './cli-io.js';

/** Writes one line for each record, its fields as JSON behind the message; leaves `debug` out. */
export function lineLogger(sink: TextSink): Logger {
  const write = (level: string) => (fields: object, message: string) => {
    const detail = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
    sink.write(`${level} ${message}${detail}\n`);
  };
  return { debug() {}, info: write('info'), warn: write('warn'), error: write('error') };
}
