import type { MigrationProgress, Migrations } from '@dbmanager/migrations';
import { FakeClock } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import type { CliHost } from './cli-host.js';
import type { CliIo } from './cli-io.js';
import { addMigrateCommand } from './migrate-command.js';

type Up = Migrations['up'];

/** Runs `migrate up` with what stands in for the migrations; gives what it wrote. */
async function migrateUp(clock: FakeClock, up: Up) {
  const written = { stdout: '', stderr: '', code: -1, closed: 0 };
  const sink = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io: CliIo = {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    clock,
    fileExists: () => true,
    readInput: async () => '',
    onStop: () => () => {},
    exit: () => {},
  };
  const manager = {
    migrations: () => ({ up }),
    async close() {
      written.closed++;
    },
  };
  const program = new Command();
  addMigrateCommand(program, {
    io,
    host: { load: async () => manager } as unknown as CliHost,
    done: (code) => {
      written.code = code;
    },
    fileHelp: '',
    fileOf: () => 'dbmanager.yaml',
  });
  await program.parseAsync(['migrate', 'up'], { from: 'user' });
  return written;
}

describe('dbmanager migrate up', () => {
  it('tells once a second how far a long step is, with its share where the whole is known', async () => {
    const clock = new FakeClock();
    const step: Omit<MigrationProgress, 'done' | 'total'> = {
      version: 7n,
      description: 'fill',
      direction: 'up',
      elapsedMs: 0,
    };
    const written = await migrateUp(clock, async ({ onProgress } = {}) => {
      for (let done = 1; done <= 8; done++) {
        await clock.advance(500);
        onProgress?.({ ...step, done: done * 1_000, total: done < 4 ? undefined : 8_000 });
      }
      return [{ version: 7n, description: 'fill', direction: 'up', durationMs: 3_200.4 }];
    });
    expect(written).toEqual({
      stdout: 'up  7  fill  3200 ms\n',
      stderr: '7 fill: 2000\n7 fill: 4000 of 8000 (50 %)\n7 fill: 6000 of 8000 (75 %)\n',
      code: 0,
      closed: 1,
    });
  });
});
