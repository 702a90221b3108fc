import type { Clock, Timer } from '@dbmanager/core';
import type { Job } from './job.js';

/** Limits the time of one job. It does not run while its reader has paused it. */
export class JobTimer {
  readonly #clock: Clock;
  readonly #job: Job;
  readonly #expire: () => void;
  #timer: Timer | undefined;

  /** Runs from now on. */
  constructor(clock: Clock, job: Job, expire: () => void) {
    this.#clock = clock;
    this.#job = job;
    this.#expire = expire;
    job.request?.on('pause', this.#stop);
    job.request?.on('resume', this.#start);
    if (job.request?.paused !== true) this.#start();
  }

  /** To be called when the job has ended. */
  end(): void {
    this.#stop();
    this.#job.request?.removeListener('pause', this.#stop);
    this.#job.request?.removeListener('resume', this.#start);
  }

  readonly #start = (): void => {
    this.#timer ??= this.#clock.setTimer(this.#job.timeoutMs, this.#expire, { keepAlive: true });
  };

  readonly #stop = (): void => {
    this.#timer?.cancel();
    this.#timer = undefined;
  };
}
