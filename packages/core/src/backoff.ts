import type { Random } from './random.js';

/** Limits of an exponential backoff, in milliseconds. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** `min(max, base * 2^(attempt - 1))`: 1s, 2s, 4s … for attempts 1, 2, 3 … */
export function exponentialDelay(attempt: number, { baseMs, maxMs }: BackoffOptions): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 52));
}

/** Shortest delay full jitter may give, so that a lucky draw cannot turn into a tight loop. */
export const FULL_JITTER_FLOOR_MS = 50;

/**
 * "Full jitter" (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): uniform in
 * [0, exponential delay), but never under {@link FULL_JITTER_FLOOR_MS}.
 */
export function fullJitterDelay(attempt: number, options: BackoffOptions, random: Random): number {
  return Math.max(FULL_JITTER_FLOOR_MS, random() * exponentialDelay(attempt, options));
}

/** `value` shortened or lengthened by a uniform random share of at most `fraction`. */
export function spread(value: number, fraction: number, random: Random): number {
  return value * (1 + (random() * 2 - 1) * fraction);
}

/** `value` less a uniform random share of at most `fraction`. */
export function shorten(value: number, fraction: number, random: Random): number {
  return value * (1 - random() * fraction);
}
