/** A point in time in parts: days since 0001-01-01, ticks of 100 ns since midnight, and minutes east of UTC. */
export interface Moment {
  readonly days: number;
  readonly ticks: bigint;
  readonly offsetMinutes: number;
}

export const TICKS_PER_SECOND = 10_000_000n;
const TICKS_PER_MINUTE = TICKS_PER_SECOND * 60n;
const TICKS_PER_DAY = TICKS_PER_MINUTE * 1440n;
const MS_PER_DAY = 86_400_000;
/** 0001-01-01 in days before 1970-01-01. */
const FIRST_DAY = 719_162;
/** 1900-01-01, where the older types begin, in days since 0001-01-01. */
export const DAY_OF_1900 = 693_595;

const FORM =
  /^\s*(?:(\d{4})-?(\d\d)-?(\d\d))?(?:[T ]?(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?\s*$/i;

/** Reads a date, a time, or both; undefined when the text is neither. */
export function readMoment(text: string): Moment | undefined {
  const match = FORM.exec(text);
  if (match === null || (match[1] === undefined && match[4] === undefined)) return undefined;
  const [, year = '1900', month = '01', day = '01', hours = '0', minutes = '0', seconds = '0', fraction = ''] = match;
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day));
  if (new Date(date).getUTCDate() !== Number(day) || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const second = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  return {
    days: date / MS_PER_DAY + FIRST_DAY,
    ticks: second * TICKS_PER_SECOND + BigInt(fraction.padEnd(7, '0').slice(0, 7)),
    offsetMinutes: readOffset(match[8]),
  };
}

function readOffset(text: string | undefined): number {
  if (text === undefined || text.toUpperCase() === 'Z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return text.startsWith('-') ? -minutes : minutes;
}

export function dateText({ days }: Moment): string {
  return new Date((days - FIRST_DAY) * MS_PER_DAY).toISOString().slice(0, 10);
}

export function timeText({ ticks }: Moment): string {
  const part = (divisor: bigint, modulus: bigint, width: number) =>
    String((ticks / divisor) % modulus).padStart(width, '0');
  const hours = part(TICKS_PER_MINUTE * 60n, 24n, 2);
  return `${hours}:${part(TICKS_PER_MINUTE, 60n, 2)}:${part(TICKS_PER_SECOND, 60n, 2)}.${part(1n, TICKS_PER_SECOND, 7)}`;
}

export function dateTimeText(moment: Moment): string {
  return `${dateText(moment)} ${timeText(moment)}`;
}

export function offsetText({ offsetMinutes }: Moment): string {
  const size = Math.abs(offsetMinutes);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** The same point in time with days and ticks of another place. */
export function shifted(moment: Moment, minutes: number): Moment {
  const ticks = moment.ticks + BigInt(minutes) * TICKS_PER_MINUTE;
  const days = ticks < 0n ? -1 : ticks >= TICKS_PER_DAY ? 1 : 0;
  return { ...moment, days: moment.days + days, ticks: ticks - BigInt(days) * TICKS_PER_DAY };
}

/** The time now, in UTC. */
export function now(): Moment {
  const ms = Date.now();
  const days = Math.floor(ms / MS_PER_DAY);
  return { days: days + FIRST_DAY, ticks: BigInt(ms - days * MS_PER_DAY) * 10_000n, offsetMinutes: 0 };
}
