import { describe, expect, it } from '@jest/globals';
import { Histogram } from './histogram.js';

describe('a histogram', () => {
  it('counts a duration in the first bucket whose bound it does not exceed', () => {
    const histogram = new Histogram();
    for (const ms of [0, 1, 1.5, 5, 10_000, 10_001]) histogram.observe(ms);
    expect(histogram.snapshot()).toEqual({ counts: [2, 2, 0, 0, 0, 0, 0, 0, 1, 1], count: 6, sumSeconds: 20.0085 });
  });

  it('adds instant ones without having observed them', () => {
    const histogram = new Histogram();
    histogram.observe(600);
    expect(histogram.snapshot(3)).toEqual({ counts: [3, 0, 0, 0, 0, 0, 1, 0, 0, 0], count: 4, sumSeconds: 0.6 });
  });
});
