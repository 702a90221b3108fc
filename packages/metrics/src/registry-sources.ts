import { DbManagerError } from '@dbmanager/core';
import type { Metric } from 'prom-client';
import type { MetricDefinition, MetricLine, SourceSnapshot } from './metric-definition.js';
import { METRIC_DEFINITIONS } from './metric-definitions.js';
import type { LabelledSource } from './metrics-source.js';
import type { MetricsRegistry } from './prometheus-metrics.js';

/**
 * The managers that one registry shows. A registry holds one metric of a name, so all its managers share the families;
 * they differ in the label `manager`.
 */
export class RegistrySources {
  static readonly #ofRegistry = new WeakMap<MetricsRegistry, RegistrySources>();

  readonly #registry: MetricsRegistry;
  readonly #sources = new Set<LabelledSource>();
  readonly #families = METRIC_DEFINITIONS.map((definition) => new Family(definition, () => this.#snapshots()));
  #current: readonly SourceSnapshot[] | undefined;

  private constructor(registry: MetricsRegistry) {
    this.#registry = registry;
  }

  /** The one set of managers of this registry. */
  static of(registry: MetricsRegistry): RegistrySources {
    const existing = RegistrySources.#ofRegistry.get(registry);
    if (existing !== undefined) return existing;
    const created = new RegistrySources(registry);
    RegistrySources.#ofRegistry.set(registry, created);
    return created;
  }

  /** Shows a manager from now on. Throws `DBM_INVALID_OPTION`, having changed nothing, when its names are taken. */
  add(source: LabelledSource): void {
    for (const other of this.#sources) {
      if (other.manager === source.manager) throw sameLabel(source.manager);
    }
    const missing = this.#families.filter((family) => this.#registered(family) !== family);
    for (const family of missing) {
      if (this.#registered(family) !== undefined) throw nameTaken(family.key);
    }
    for (const family of missing) this.#registry.registerMetric(asMetric(family));
    this.#sources.add(source);
  }

  /** Takes a manager's series away, and with the last one the families. */
  remove(source: LabelledSource): void {
    if (!this.#sources.delete(source) || this.#sources.size > 0) return;
    for (const family of this.#families) {
      if (this.#registered(family) === family) this.#registry.removeSingleMetric(family.key);
    }
  }

  #registered(family: Family): unknown {
    return this.#registry.getSingleMetric(family.key);
  }

  /** One reading for all families of a scrape: the registry asks each of them within one turn of the event loop. */
  #snapshots(): readonly SourceSnapshot[] {
    if (this.#current === undefined) {
      this.#current = [...this.#sources].map((source) => source.snapshot());
      queueMicrotask(() => {
        this.#current = undefined;
      });
    }
    return this.#current;
  }
}

/** What prom-client's registry holds and asks: the part of its `Metric` that it uses at a scrape. */
class Family {
  /** The registry's key. It differs from `name` in OpenMetrics, for which prom-client strips `_total` from `name`. */
  readonly key: string;
  name: string;
  readonly help: string;
  readonly type: MetricDefinition['type'];
  readonly aggregator: MetricDefinition['aggregator'];
  readonly #definition: MetricDefinition;
  readonly #snapshots: () => readonly SourceSnapshot[];

  constructor(definition: MetricDefinition, snapshots: () => readonly SourceSnapshot[]) {
    this.key = definition.name;
    this.name = definition.name;
    this.help = definition.help;
    this.type = definition.type;
    this.aggregator = definition.aggregator;
    this.#definition = definition;
    this.#snapshots = snapshots;
  }

  /** Asked for by `registry.metrics()`. */
  async getForPromString(): Promise<object> {
    return this.#render(this.#lines());
  }

  /** Asked for by `registry.getMetricsAsJSON()`, which knows no shared labels. */
  async get(): Promise<object> {
    return this.#render(
      this.#lines().map(({ labels, sharedLabels, value, metricName }) => ({
        labels: { ...sharedLabels, ...labels },
        value,
        ...(metricName === undefined ? {} : { metricName }),
      })),
    );
  }

  /** Does nothing: the values live in the pools and only grow. */
  reset(): void {}

  #lines(): MetricLine[] {
    const lines: MetricLine[] = [];
    for (const snapshot of this.#snapshots()) this.#definition.collect(lines, snapshot);
    return lines;
  }

  #render(values: readonly object[]): object {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values };
  }
}

/** prom-client's types know only its own four classes; its registry uses no more of them than {@link Family} has. */
function asMetric(family: Family): Metric {
  return family as unknown as Metric;
}

function sameLabel(manager: string | undefined): DbManagerError {
  const whose = manager === undefined ? 'without the option "manager"' : `as manager "${manager}"`;
  return new DbManagerError(
    'DBM_INVALID_OPTION',
    `the registry already shows a manager ${whose}; give each its own value of "manager", or its own registry`,
    { option: 'manager' },
  );
}

function nameTaken(name: string): DbManagerError {
  return new DbManagerError(
    'DBM_INVALID_OPTION',
    `the registry already has a metric named ${name} that is not of this package; give another registry`,
    { option: 'registry' },
  );
}
