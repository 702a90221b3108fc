import type { ConnectionStats, ManagerStats } from '@dbmanager/core';
import type { ConnectionSeries, Labels, SourceSnapshot } from './metric-definition.js';

/** What is measured: a manager. Reading it must ask no database. */
export interface MetricsSource {
  stats(): ManagerStats;
}

/** One manager on a registry: reads it, and keeps its label sets from scrape to scrape. */
export class LabelledSource {
  /** The value of the label `manager`; undefined when it has none. */
  readonly manager: string | undefined;
  readonly #source: MetricsSource;
  readonly #common: Labels;
  #known = new Map<string, ConnectionSeries>();

  constructor(source: MetricsSource, manager: string | undefined) {
    this.manager = manager;
    this.#source = source;
    this.#common = manager === undefined ? {} : { manager };
  }

  /** What the manager shows now. Connections that it no longer has are forgotten. */
  snapshot(): SourceSnapshot {
    const stats = this.#source.stats();
    const known = new Map<string, ConnectionSeries>();
    for (const connection of Object.values(stats.connections)) {
      if (connection.metricsEnabled) known.set(connection.name, this.#series(connection));
    }
    this.#known = known;
    return { stats, common: this.#common, series: [...known.values()] };
  }

  #series(connection: ConnectionStats): ConnectionSeries {
    const { name, type } = connection;
    const before = this.#known.get(name);
    return before?.connection.type === type
      ? { ...before, connection }
      : {
          connection,
          named: { name, type, ...this.#common },
          pooled: { db_client_connection_pool_name: name, ...this.#common },
        };
  }
}
