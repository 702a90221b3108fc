/**
 * What every benchmark here shares: rounds of all subjects interleaved, so that a drifting machine touches all alike;
 * medians and spread; a table for people and JSON for programs. Run by Node's type stripping: erasable TypeScript only.
 */
import { writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

/** One thing that is measured. */
export interface Subject {
  readonly name: string;
  /** Prepares; not measured. */
  readonly start?: () => Promise<void> | void;
  /** One round; gives the measured figure, in the unit of its comparison. */
  readonly round: () => Promise<number>;
  /** Further figures of the last round, by name, for columns of their own; medians are shown. */
  readonly extra?: () => Readonly<Record<string, number>>;
  /** Frees what `start` opened. */
  readonly stop?: () => Promise<void> | void;
}

/** Subjects measured side by side. */
export interface Comparison {
  readonly title: string;
  /** Of the figures: `µs`, `ms`, `req/s`. */
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly subjects: readonly Subject[];
  /** Name of the subject that the ratios are against. */
  readonly against: string;
  /** Default 7, overridden by `--rounds`; at least 5. */
  readonly rounds?: number;
  /** Rounds before those that count. Default 1. */
  readonly warmUps?: number;
  /**
   * Also compares the CPU time that this process used, for subjects whose rounds do the same work: the wall clock of a machine
   * that is shared says less. Default false.
   */
  readonly cpu?: boolean;
}

/** What one subject reached. */
export interface Result {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /**
   * How much better than the reference, 2 is twice as fast: the median of the ratios to its figure of the same round, which
   * the machine's mood of that minute leaves alone.
   */
  readonly ratio: number;
  /** The middle half of those ratios. */
  readonly ratioSpread: readonly [low: number, high: number];
  /** How much less CPU time than the reference, by round as well; where it was asked for. */
  readonly cpuRatio?: number;
  readonly extra: Readonly<Record<string, number>>;
  readonly rounds: readonly number[];
}

/** A comparison that has been run. */
export interface Report {
  readonly title: string;
  readonly unit: string;
  readonly against: string;
  readonly results: readonly Result[];
}

const MIN_ROUNDS = 5;
const { values: flags } = parseArgs({
  options: { rounds: { type: 'string' }, json: { type: 'string' } },
  strict: false,
});

/** Runs all rounds of a comparison. The order of the subjects turns with every round. */
export async function compare(comparison: Comparison): Promise<Report> {
  const { subjects, warmUps = 1 } = comparison;
  const rounds = Math.max(MIN_ROUNDS, Number(flags.rounds ?? comparison.rounds ?? 7));
  const figures = new Map(subjects.map((subject) => [subject, [] as number[]]));
  const cpu = new Map(subjects.map((subject) => [subject, [] as number[]]));
  const extras = new Map(subjects.map((subject) => [subject, [] as Readonly<Record<string, number>>[]]));
  try {
    for (const subject of subjects) await subject.start?.();
    for (let round = -warmUps; round < rounds; round++) {
      for (let turn = 0; turn < subjects.length; turn++) {
        const subject = subjects[(turn + round + warmUps) % subjects.length] as Subject;
        // No collection in between: a forced one throws away compiled code, so that what is measured is compiling it anew.
        const before = process.cpuUsage();
        const figure = await subject.round();
        const { user, system } = process.cpuUsage(before);
        if (round < 0) continue;
        figures.get(subject)?.push(figure);
        cpu.get(subject)?.push(user + system);
        extras.get(subject)?.push(subject.extra?.() ?? {});
      }
    }
  } finally {
    for (const subject of subjects) await subject.stop?.();
  }
  return summarise(comparison, { figures, cpu, extras });
}

/** Runs comparisons one after the other, prints their tables and, with `--json FILE`, writes the figures there. */
export async function main(comparisons: readonly Comparison[]): Promise<void> {
  const reports: Report[] = [];
  console.log(`${machine()}\n`);
  for (const comparison of comparisons) {
    const report = await compare(comparison);
    reports.push(report);
    console.log(`${table(report)}\n`);
  }
  if (typeof flags.json === 'string') {
    await writeFile(flags.json, `${JSON.stringify({ machine: machine(), reports }, undefined, 2)}\n`);
  }
}

/** A report as a Markdown table. */
export function table({ title, unit, against, results }: Report): string {
  const extraNames = [...new Set(results.flatMap((result) => Object.keys(result.extra)))];
  const rounds = results[0]?.rounds.length ?? 0;
  const cpu = results.some(({ cpuRatio }) => cpuRatio !== undefined);
  const head = [
    '',
    `median ${unit}`,
    'min – max',
    `against ${against}`,
    ...(cpu ? ['by CPU time'] : []),
    ...extraNames,
  ];
  const rows = results.map(({ name, median, min, max, ratio, ratioSpread, cpuRatio, extra }) => [
    name,
    figure(median),
    `${figure(min)} – ${figure(max)}`,
    name === against ? '1' : `${ratio.toFixed(2)} × (${ratioSpread.map((value) => value.toFixed(2)).join(' – ')})`,
    ...(cpuRatio === undefined ? [] : [name === against ? '1' : `${cpuRatio.toFixed(2)} ×`]),
    ...extraNames.map((extraName) => (extra[extraName] === undefined ? '' : figure(extra[extraName]))),
  ]);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    `### ${title} (${rounds} interleaved rounds)`,
    '',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
  ].join('\n');
}

/** The machine and runtime, in one line. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model.trim() ?? 'unknown CPU'} × ${cpus().length}, ${memory} GiB, Node ${process.version}, ${process.platform}`;
}

/** Middle of the sorted values; the mean of the two middle ones when they are even in number. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which a share of the values lies, interpolated between the two next to it. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (place % 1);
}

/** What was measured, by subject and round. */
interface Measured {
  readonly figures: ReadonlyMap<Subject, readonly number[]>;
  /** In microseconds. */
  readonly cpu: ReadonlyMap<Subject, readonly number[]>;
  readonly extras: ReadonlyMap<Subject, readonly Readonly<Record<string, number>>[]>;
}

function summarise(comparison: Comparison, { figures, cpu, extras }: Measured): Report {
  const { title, unit, against, better, subjects } = comparison;
  const reference = subjects.find(({ name }) => name === against);
  if (reference === undefined) throw new RangeError(`no subject is called "${against}"`);
  const base = figures.get(reference) ?? [];
  const results = subjects.map((subject): Result => {
    const rounds = figures.get(subject) ?? [];
    const ratios = better === 'lower' ? ratiosOf(base, rounds) : ratiosOf(rounds, base);
    return {
      name: subject.name,
      median: median(rounds),
      min: Math.min(...rounds),
      max: Math.max(...rounds),
      ratio: median(ratios),
      ratioSpread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
      ...(comparison.cpu && { cpuRatio: median(ratiosOf(cpu.get(reference) ?? [], cpu.get(subject) ?? [])) }),
      extra: medians(extras.get(subject) ?? []),
      rounds,
    };
  });
  return { title, unit, against, results };
}

function ratiosOf(over: readonly number[], under: readonly number[]): number[] {
  return over.map((value, round) => value / (under[round] as number));
}

function medians(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  return Object.fromEntries([...names].map((name) => [name, median(records.flatMap((record) => record[name] ?? []))]));
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
