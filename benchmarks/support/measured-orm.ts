import type { Connection } from 'dbmanager';
import type { Hands } from '../../test/cross-orm/hands.ts';

/** An ORM at work, on a pool of its own or on the shared one. */
export interface OpenOrm {
  readonly hands: Hands;
  close(): Promise<unknown>;
}

/** An ORM, or a driver by itself, that is measured on one engine. */
export interface MeasuredOrm {
  readonly name: string;
  /** On a pool of its own of at most `max` connections, set up as its documentation shows. */
  own(url: string, max: number): Promise<OpenOrm>;
  shared(connection: Connection): Promise<Hands>;
}
