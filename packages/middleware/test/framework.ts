import type { Server } from 'node:http';
import type { Readable } from 'node:stream';
import type { Exchange, RequestDeadlineOptions, RequestTransactionOptions, TenantsByHost } from '@dbmanager/middleware';
import type { Connection, ConnectionManager } from 'dbmanager';

/** What a handler of a test is given. */
export interface Call {
  /** As the framework hands it to its handlers. */
  readonly request: object;
  readonly raw: Exchange;
}

/** What it answers in the framework's own way. */
export interface Answer {
  readonly status?: number;
  /** A stream is sent as one. */
  readonly body: object | Readable;
}

/** A path of the application under test, which every framework serves alike. */
export interface Route {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly transaction?: RequestTransactionOptions;
  readonly deadline?: RequestDeadlineOptions;
  /** It writes to the response of `node:http` itself, and resolves to nothing. */
  readonly direct?: true;
  handle(call: Call): Promise<Answer | undefined>;
}

/** The application under test. */
export interface Application {
  readonly manager: ConnectionManager;
  readonly connection: Connection;
  readonly routes: readonly Route[];
  readonly tenants: TenantsByHost<object>;
}

/** A framework under test. */
export interface Framework {
  readonly name: string;
  /** Where the endpoints for health and metrics are mounted. */
  readonly prefix: string;
  /** Its middlewares learn of what a handler throws. */
  readonly tellsOfErrors: boolean;
  /** Listens on a free port of the loopback. */
  serve(application: Application): Promise<RunningApplication>;
}

/** An application that listens. */
export interface RunningApplication {
  readonly server: Server;
  close(): Promise<void>;
}

/** Paths below this one have a tenant. */
export const TENANTS = '/tenant';
