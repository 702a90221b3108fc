/**
 * A process of its own that cleans up after a test server: when its standard input closes, which happens however the
 * process that started it ends, it stops the server and removes the folder.
 *
 * Arguments: the folder, and the signal that makes the server drop everything and end. Standard input: the pid of the
 * server, once per start, one a line.
 */
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

const [, , folder, crashSignal] = process.argv as [string, string, string, NodeJS.Signals];
let pid: number | undefined;
for await (const line of createInterface({ input: process.stdin })) pid = Number(line) || undefined;
if (pid !== undefined) await stop(pid);
await rm(folder, { recursive: true, force: true });

/**
 * A server still there after 5 s is killed. Where nobody reaps orphans, as in many containers, a dead server stays in the
 * process table, so this does not wait for more.
 */
async function stop(server: number): Promise<void> {
  send(server, crashSignal);
  for (let waitedMs = 0; waitedMs < 5_000; waitedMs += 50) {
    if (!send(server, 0)) return;
    await setTimeout(50);
  }
  send(server, 'SIGKILL');
}

/** False when there is no such process any more. */
function send(server: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(server, signal);
  } catch {
    return false; // ESRCH: it has gone
  }
}
