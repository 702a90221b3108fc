import { DbManagerError } from '@dbmanager/core';
import { namedOptions } from './named-options.js';

/** What asks for a handle that is of another class on some types: such a type, where it is meant, and options. */
export type TypedArguments<T extends string, O extends object> =
  | [options?: O | undefined]
  | [type: T, options?: O | undefined];

/** A connection, or a transaction on one. */
interface Typed {
  readonly name: string;
  readonly type: string;
}

/** The options and the key for `use`. Throws as {@link assertType} does. */
export function typedOptions<O extends { readonly name?: string }>(
  method: string,
  [first, second]: TypedArguments<string, O>,
  asked: Typed,
): ReturnType<typeof namedOptions<O>> {
  if (typeof first !== 'string') return namedOptions(first);
  assertType(method, first, asked);
  return namedOptions(second);
}

/** Throws `DBM_UNSUPPORTED` when the type that the caller of a method has named is another than the connection's. */
export function assertType(method: string, named: string | undefined, { name: connectionName, type }: Typed): void {
  if (named === undefined || named === type) return;
  const message = `${method}("${named}") asked of type ${type}; name the type of the connection`;
  throw new DbManagerError('DBM_UNSUPPORTED', message, { connectionName });
}
