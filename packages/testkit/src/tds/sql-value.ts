/**
 * A value as the engine has it. Whole numbers of every type, and bits, are bigints; numbers are fractions. Dates and times
 * are text as {@link file://./temporal.ts} writes it, a uniqueidentifier is text in capitals.
 */
export type SqlValue = null | bigint | number | string | Buffer;
