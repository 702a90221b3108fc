import { EventEmitter } from 'node:events';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { type CliProcess, processIo } from './index.js';

/** A process whose stdout fails with this error. */
function processWith(error?: NodeJS.ErrnoException): CliProcess & EventEmitter {
  const sink = () =>
    new Writable({
      write(_chunk, _encoding, done) {
        done(error);
      },
    });
  const target = Object.assign(new EventEmitter(), { stdout: sink(), stderr: sink(), env: {}, exit: () => undefined });
  return target as unknown as CliProcess & EventEmitter;
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

describe('processIo', () => {
  it('goes on when the reader of its output has gone', async () => {
    const target = processWith(errno('EPIPE'));
    const io = processIo(target);
    const closed = new Promise((resolve) => target.stdout.once('close', resolve));
    io.stdout.write('first');
    await closed;
    expect(() => io.stdout.write('second')).not.toThrow();
  });

  it('does not hide other failures of its output', () => {
    const target = processWith();
    processIo(target);
    expect(() => target.stdout.emit('error', errno('ENOSPC'))).toThrow('ENOSPC');
  });

  it('reads all of its input', async () => {
    const target = Object.assign(processWith(), {
      stdin: Readable.from([Buffer.from([0xc3]), Buffer.from([0xa9, 0x0a])]),
    });
    expect(await processIo(target as CliProcess).readInput()).toBe('é\n');
  });

  it('listens to both stop signals until told otherwise, and to no other', () => {
    const target = processWith();
    const seen: string[] = [];
    const stop = processIo(target).onStop((signal) => seen.push(signal));
    target.emit('SIGTERM', 'SIGTERM');
    target.emit('SIGINT', 'SIGINT');
    expect(target.eventNames().sort()).toEqual(['SIGINT', 'SIGTERM']);
    stop();
    expect(target.eventNames()).toEqual([]);
    expect(seen).toEqual(['SIGTERM', 'SIGINT']);
  });

  it('tells a file from a folder and from nothing', () => {
    const io = processIo(processWith());
    const file = fileURLToPath(import.meta.url);
    expect([file, dirname(file), `${file}.gone`].map((path) => io.fileExists(path))).toEqual([true, false, false]);
  });
});
