import { Histogram } from './histogram.js';
import { CLOSE_REASONS, type CloseReason } from './pool-stats.js';

/** Everything a pool counts. The pool alone writes to it, inline: it is on the hot path. */
export class PoolCounters {
  acquired = 0;
  waitCount = 0;
  waitDurationMs = 0;
  acquireTimeouts = 0;
  created = 0;
  createFailures = 0;
  destroyed = 0;
  leaks = 0;
  dirtyReleases = 0;
  readonly closedBy = Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0])) as Record<CloseReason, number>;
  readonly createTime = new Histogram();
  /** Of the acquires that waited and got a connection; the others are added in the snapshot. */
  readonly waitTime = new Histogram();
  readonly useTime = new Histogram();

  snapshot() {
    return {
      acquired: this.acquired,
      waitCount: this.waitCount,
      waitDurationMs: this.waitDurationMs,
      acquireTimeouts: this.acquireTimeouts,
      created: this.created,
      createFailures: this.createFailures,
      destroyed: this.destroyed,
      leaks: this.leaks,
      dirtyReleases: this.dirtyReleases,
      closedBy: { ...this.closedBy },
      createTime: this.createTime.snapshot(),
      waitTime: this.waitTime.snapshot(this.acquired - this.waitTime.count),
      useTime: this.useTime.snapshot(),
    };
  }
}
