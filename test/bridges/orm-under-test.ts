import type { ManagedConnection } from '@dbmanager/core';
import type { Transaction } from '@dbmanager/database';

/** A row of the table `items`, which every ORM of the suite knows. */
export interface Item {
  readonly id: number;
  readonly name: string;
  /** Beyond what a number can hold exactly. */
  readonly big: bigint;
  readonly at: Date;
  readonly json: unknown;
  readonly bytes: Uint8Array;
}

/** What an ORM does with items: outside transactions, in one of its own, or bound to one of dbmanager. */
export interface Items {
  insert(item: Item): Promise<unknown>;
  /** As the ORM reads it: with its own type parsers. */
  find(id: number): Promise<Item | undefined>;
  /** Of all items, by id. */
  names(): Promise<readonly string[]>;
  rename(id: number, name: string): Promise<unknown>;
  remove(id: number): Promise<unknown>;
  /** A statement as text. */
  raw(sql: string): Promise<unknown>;
  /** The ORM's own transaction; in a transaction its nested one. */
  transaction<T>(work: (items: Items) => Promise<T>): Promise<T>;
}

/** An ORM that has been opened on a connection. */
export interface OpenOrm {
  /** What the bridge gave. */
  readonly handle: unknown;
  readonly items: Items;
  /** Makes the table `items` with the ORM's own schema tool or migrations. */
  createTable(): Promise<unknown>;
  /** The ORM's own end, close or destroy; does nothing where it has none. */
  close(): Promise<unknown>;
  /** Borrows a connection in the ORM's own way; where `checksOutOn` says so. */
  checkOut?(): Promise<{ release(): unknown }>;
  /** All names, by id, one by one; where `streamsOn` says so. */
  stream?(): AsyncIterable<string>;
}

/** A row of the table of ORMs that the suite runs on. */
export interface OrmUnderTest {
  readonly name: string;
  /** Engines that its bridge can drive. */
  readonly types: readonly string[];
  /** Engines on which {@link OpenOrm.checkOut} is to be had. */
  readonly checksOutOn: readonly string[];
  /** Engines on which {@link OpenOrm.stream} is to be had. */
  readonly streamsOn: readonly string[];
  /** Opens it with the entity of items. The same key gives the same handle. */
  open(connection: ManagedConnection, key?: string): Promise<OpenOrm>;
  /** Its handle bound to a transaction of a connection that it is open on. */
  bind(tx: Transaction): Items;
}
