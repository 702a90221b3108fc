import type { expect as jestExpect, it as jestIt } from '@jest/globals';
import type {
  Connection,
  ConnectionDatabase,
  ConnectionManager,
  ConnectionTransaction,
  DrizzleHandles,
  KeyValueStore,
  Repository,
  RepositoryOptions,
  Stores,
  Tenant,
  TenantInput,
} from 'dbmanager';
import type { Express, Request, Response } from 'express';
import type { FastifyInstance } from 'fastify';
import type { Generated } from 'kysely';

/**
 * Names that code on the pages uses and does not declare, as the text around it says what they are: things of the reader's
 * application. What a package exports is not here: code on a page imports it.
 */
declare global {
  const mgr: ConnectionManager;
  const primary: Connection;
  const shop: Connection;
  const connection: Connection;
  const db: ConnectionDatabase;
  const tx: ConnectionTransaction;
  const stores: Stores;
  const accounts: KeyValueStore<number>;
  const local: DrizzleHandles['sqlite'];

  const app: Express;
  const request: Request;
  const response: Response;
  const fastify: FastifyInstance;
  const it: typeof jestIt;
  const expect: typeof jestExpect;

  const signal: AbortSignal;
  const id: string;
  const ids: readonly number[];
  const email: string;
  const input: string;
  const ip: string;
  const item: string;
  const schema: string;
  const secret: string;

  class User {
    id: number;
    name: string;
    active?: boolean;
  }
  class Account {
    id: number;
    balance: number;
  }
  class Invoice {
    id: number;
    total: number;
  }
  interface Order {
    id: number;
    user_id: number;
    year: number;
  }
  interface Article {
    title: string;
  }
  interface Session {
    user: string;
  }
  /** Of Kysely. */
  interface Database {
    users: { id: Generated<number>; name: string };
    stock: { left: number };
    orders: { item: string };
  }
  const user: User;
  const account: Account;
  const invoice: Invoice;
  const order: Database['orders'];
  const admin: { readonly name: string };
  const tenant: TenantInput;

  /** Of the page on repositories, whose first block has more of it. */
  const users: Repository<{
    id: number;
    email: string;
    name: string | null;
    age: number | null;
    active: boolean;
    created_at: Date;
  }>;
  const ORDERS: RepositoryOptions<Order>;

  /** Three statements of the page on transactions, as each door takes them. */
  const a: (tx: ConnectionTransaction) => Promise<void>;
  const b: () => Promise<void>;
  const c: string;

  function audit(): Promise<void>;
  function conflict(message: string): Error;
  function enough(order: Order): boolean;
  function findTenantByHost(host: string, signal: AbortSignal): Promise<Tenant | undefined>;
  function register(mgr: ConnectionManager, name: string): Promise<void>;
  function tooManyRequests(headers: Readonly<Record<string, number>>): Error;
}

declare module 'dbmanager' {
  /** As `dbmanager sql types` writes it for the page on SQL files. */
  interface SqlQueries {
    'users/by-id': { id: unknown };
    'users/rename': { id: unknown; name: unknown };
    'users/search': { pattern: unknown };
  }
}
