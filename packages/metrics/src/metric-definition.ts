import {
  type ConnectionStats,
  DURATION_BUCKETS_S,
  type DurationHistogram,
  type ManagerStats,
  type StatementSeries,
} from '@dbmanager/core';

/** Label name to value. */
export type Labels = Readonly<Record<string, string | number>>;

/**
 * One line of a scrape, in the shape that prom-client's serialiser takes. It caches the text of `sharedLabels` by the
 * object's identity, so those are kept from scrape to scrape.
 */
export interface MetricLine {
  readonly labels: Labels;
  readonly sharedLabels: Labels;
  readonly value: number;
  /** Where it is not the name of the family: the parts of a histogram. */
  readonly metricName: string | undefined;
}

/** A connection that is shown, with the label sets that all its lines share. */
export interface ConnectionSeries {
  readonly connection: ConnectionStats;
  /** `name` and `type`, and `manager` where one was given. */
  readonly named: Labels;
  /** `db_client_connection_pool_name`, and `manager` where one was given: OpenTelemetry's. */
  readonly pooled: Labels;
}

/** What one manager shows in one scrape. */
export interface SourceSnapshot {
  readonly stats: ManagerStats;
  /** `manager` where one was given. */
  readonly common: Labels;
  /** The connections with `enable_metrics`. */
  readonly series: readonly ConnectionSeries[];
}

/** A metric family: its head, and how it is read from a snapshot. */
export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** How prom-client's AggregatorRegistry joins the processes of a cluster. */
  readonly aggregator: 'sum' | 'min' | 'max';
  /** Appends the lines of one manager. */
  collect(lines: MetricLine[], snapshot: SourceSnapshot): void;
}

type Head = Pick<MetricDefinition, 'name' | 'help'> & Partial<Pick<MetricDefinition, 'aggregator'>>;
type LabelSet = 'named' | 'pooled';

const NO_LABELS: Labels = {};

/** A family with one line for each connection; none while `read` gives undefined. */
export function single(
  type: 'gauge' | 'counter',
  labelSet: LabelSet,
  head: Head,
  read: (connection: ConnectionStats) => number | undefined,
): MetricDefinition {
  return {
    aggregator: 'sum',
    ...head,
    type,
    collect(lines, { series }) {
      for (const entry of series) {
        const value = read(entry.connection);
        if (value === undefined) continue;
        lines.push({ labels: NO_LABELS, sharedLabels: entry[labelSet], value, metricName: undefined });
      }
    },
  };
}

/** A family with one line for each connection and each value of one more label. */
export function perValue<V extends string>(
  type: 'gauge' | 'counter',
  labelSet: LabelSet,
  head: Head & { readonly label: string; readonly values: readonly V[] },
  read: (connection: ConnectionStats, value: V) => number,
): MetricDefinition {
  const { label, values, ...rest } = head;
  const labelled = values.map((value) => ({ value, labels: { [label]: value } }));
  return {
    aggregator: 'sum',
    ...rest,
    type,
    collect(lines, { series }) {
      for (const entry of series) {
        for (const { value, labels } of labelled) {
          lines.push({
            labels,
            sharedLabels: entry[labelSet],
            value: read(entry.connection, value),
            metricName: undefined,
          });
        }
      }
    },
  };
}

/** Counts of a histogram by bucket, not cumulative. */
interface Distribution {
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** Appends the lines of one histogram, with `labels` on each. */
type AppendHistogram = (lines: MetricLine[], sharedLabels: Labels, labels: Labels, values: Distribution) => void;

function histogramLines(name: string, bounds: readonly number[]): AppendHistogram {
  const [bucket, sum, count] = [`${name}_bucket`, `${name}_sum`, `${name}_count`];
  const plain = [...bounds, '+Inf'].map((le): Labels => ({ le }));
  return (lines, sharedLabels, labels, values) => {
    let cumulated = 0;
    for (const [index, le] of plain.entries()) {
      cumulated += values.counts[index] ?? 0;
      const all = labels === NO_LABELS ? le : { ...labels, ...le };
      lines.push({ labels: all, sharedLabels, value: cumulated, metricName: bucket });
    }
    lines.push(
      { labels, sharedLabels, value: values.sum, metricName: sum },
      { labels, sharedLabels, value: values.count, metricName: count },
    );
  };
}

/** A histogram of durations for each connection. */
export function histogram(
  labelSet: LabelSet,
  head: Head,
  read: (connection: ConnectionStats) => DurationHistogram,
): MetricDefinition {
  const append = histogramLines(head.name, DURATION_BUCKETS_S);
  return {
    aggregator: 'sum',
    ...head,
    type: 'histogram',
    collect(lines, { series }) {
      for (const entry of series) append(lines, entry[labelSet], NO_LABELS, ofDurations(read(entry.connection)));
    },
  };
}

function ofDurations({ counts, count, sumSeconds }: DurationHistogram): Distribution {
  return { counts, count, sum: sumSeconds };
}

/** The labels of statements, by OpenTelemetry's names. */
function statementLabels({ operation, collection }: StatementSeries): Labels {
  return { db_operation_name: operation, db_collection_name: collection };
}

/** A counter for each operation on each collection. */
export function statementCounter(head: Head, read: (statements: StatementSeries) => number): MetricDefinition {
  return {
    aggregator: 'sum',
    ...head,
    type: 'counter',
    collect(lines, { series }) {
      for (const { connection, pooled } of series) {
        for (const each of connection.statements?.series ?? []) {
          lines.push({ labels: statementLabels(each), sharedLabels: pooled, value: read(each), metricName: undefined });
        }
      }
    },
  };
}

/** A histogram for each operation on each collection; none where nothing has been observed. */
export function statementHistogram(
  head: Head & { readonly bounds: readonly number[] },
  read: (statements: StatementSeries) => Distribution,
): MetricDefinition {
  const { bounds, ...rest } = head;
  const append = histogramLines(head.name, bounds);
  return {
    aggregator: 'sum',
    ...rest,
    type: 'histogram',
    collect(lines, { series }) {
      for (const { connection, pooled } of series) {
        for (const each of connection.statements?.series ?? []) {
          const values = read(each);
          if (values.count > 0) append(lines, pooled, statementLabels(each), values);
        }
      }
    },
  };
}

/** What statements took. */
export function statementDurations(head: Head): MetricDefinition {
  return statementHistogram({ ...head, bounds: DURATION_BUCKETS_S }, ({ duration }) => ofDurations(duration));
}

/** A gauge with one line for each type of connection, over all connections of the manager. */
export function perType(head: Head): MetricDefinition {
  return {
    aggregator: 'sum',
    ...head,
    type: 'gauge',
    collect(lines, { stats, common }) {
      const counts = new Map<string, number>();
      for (const { type } of Object.values(stats.connections)) counts.set(type, (counts.get(type) ?? 0) + 1);
      for (const [type, value] of counts) {
        lines.push({ labels: { type }, sharedLabels: common, value, metricName: undefined });
      }
    },
  };
}
