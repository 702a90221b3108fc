import type { ConnectionType } from '@dbmanager/core';

/** A type that can be validated without its provider, which is installed on its own. */
export interface KnownType extends ConnectionType {
  /** The npm package that has its provider. */
  readonly package: string;
}
