export type { MetricsSource } from './metrics-source.js';
export * from './prometheus-metrics.js';
