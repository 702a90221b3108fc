import { Histogram } from '../pool/histogram.js';
import type { ConnectionHealth } from './connection-health.js';

/** The part of a connection's health that checks and connects add up to. */
export type HealthFacts = Pick<
  ConnectionHealth,
  'checkedAt' | 'lastSuccessAt' | 'latencyMs' | 'consecutiveFailures' | 'error'
>;

/** Remembers what health checks and connects of one connection have found. */
export class HealthRecord {
  /** How long checks took. */
  readonly durations = new Histogram();
  readonly #reconnects = { success: 0, failure: 0 };
  #facts: HealthFacts = {
    checkedAt: undefined,
    lastSuccessAt: undefined,
    latencyMs: undefined,
    consecutiveFailures: 0,
    error: undefined,
  };

  get reconnects(): { readonly success: number; readonly failure: number } {
    return { ...this.#reconnects };
  }

  facts(): HealthFacts {
    return this.#facts;
  }

  /** A check has ended, well or not. */
  checked(durationMs: number): void {
    this.durations.observe(durationMs);
    this.#facts = { ...this.#facts, checkedAt: new Date(), latencyMs: durationMs };
  }

  success(): void {
    this.#facts = { ...this.#facts, lastSuccessAt: new Date(), consecutiveFailures: 0, error: undefined };
  }

  /** The pool cannot connect. What comes of that, a check or a reconnect, is a failure of its own. */
  down(error: Error): void {
    this.#facts = { ...this.#facts, error };
  }

  /** A check or an attempt to connect has failed. */
  failure(error: Error): void {
    this.#facts = { ...this.#facts, consecutiveFailures: this.#facts.consecutiveFailures + 1, error };
  }

  reconnected(result: 'success' | 'failure'): void {
    this.#reconnects[result]++;
  }
}
