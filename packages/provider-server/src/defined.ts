/** The type of what {@link defined} gives. */
export type Defined<T extends object> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** `record` without the properties that are undefined. */
export function defined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>;
}
