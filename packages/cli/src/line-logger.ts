import { isDbManagerError, type Logger } from '@dbmanager/core';
import type { TextSink } from './cli-io.js';

/**
 * Writes one line for each record, its fields as JSON behind the message; leaves `debug` out. Of an error it writes the
 * text alone: what drivers hang on theirs may hold values of rows.
 */
export function lineLogger(sink: TextSink): Logger {
  const write = (level: string) => (fields: object, message: string) => {
    const detail = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields, briefly)}`;
    sink.write(`${level} ${message}${detail}\n`);
  };
  return { debug() {}, info: write('info'), warn: write('warn'), error: write('error') };
}

function briefly(_key: string, value: unknown): unknown {
  if (isDbManagerError(value)) return { code: value.code, message: value.message };
  return value instanceof Error ? { message: value.message } : value;
}
