import { inspect } from 'node:util';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ClientSession, ClientSessionOptions, MongoClientOptions } from 'mongodb';
import { forgetTopology, type MongoClient, type MongodbDriver } from './mongodb-driver.js';
import type { SessionUse } from './session-registry.js';

/** What watches over the sessions of a {@link SharedClient}. */
export interface SessionKeeper {
  /** Throws when no new work may begin. */
  admit(): void;
  /** Throws when the deployment has no transactions. */
  admitTransaction(): void;
  started(session: ClientSession, use: SessionUse, entryPoint: (...args: never[]) => unknown): void;
}

/** A client that many share: what each of them does to its handle does not end it. */
export interface SharedClient extends MongoClient {
  /** Ends it for everybody. */
  shutDown(): Promise<void>;
  /** A session that is told apart from those which callers start. */
  startLease(): ClientSession;
}

/** As the driver hands options to itself, besides the public ones. */
type SessionOptions = ClientSessionOptions & { readonly owner?: unknown; readonly explicit?: boolean };

/** A client of the driver, made for many. Connects nothing. Throws what the driver says of wrong options. */
export function createSharedClient(
  { MongoClient }: MongodbDriver,
  { url, options, name }: { readonly url: string; readonly options: MongoClientOptions; readonly name: string },
  keeper: SessionKeeper,
): SharedClient {
  class Client extends MongoClient implements SharedClient {
    #ending = false;

    override async connect(): Promise<this> {
      try {
        return await super.connect();
      } catch (error) {
        forgetTopology(this);
        throw error;
      }
    }

    // Whoever reaches it past the handles, as by `session.client` or `db.client`, must not end it either.
    override async close(): Promise<void> {}

    override startSession(sessionOptions: SessionOptions = {}): ClientSession {
      return this.#start(sessionOptions, useOf(sessionOptions));
    }

    startLease(): ClientSession {
      return this.#start({}, 'lease');
    }

    async shutDown(): Promise<void> {
      this.#ending = true;
      await super.close();
    }

    #start(sessionOptions: SessionOptions, use: SessionUse): ClientSession {
      // The driver itself still has to tell the server which sessions have ended.
      if (this.#ending) return super.startSession(sessionOptions);
      keeper.admit();
      const session = super.startSession(sessionOptions);
      // The driver's own sessions, one for each operation, never begin one.
      if (use === 'caller' || use === 'lease') guardTransactions(session, keeper);
      keeper.started(session, use, this.startSession);
      return session;
    }

    /** The driver's own way would show user and password. */
    [inspect.custom](): string {
      return `MongoClient { connection: ${inspect(name)} }`;
    }
  }
  Object.defineProperty(Client, 'name', { value: MongoClient.name });
  return new Client(url, options);
}

function useOf({ explicit = true, owner }: SessionOptions): SessionUse {
  if (explicit) return 'caller';
  return owner?.constructor.name === 'ChangeStreamCursor' ? 'stream' : 'work';
}

function guardTransactions(session: ClientSession, keeper: SessionKeeper): void {
  const { startTransaction } = session;
  session.startTransaction = (options) => {
    keeper.admitTransaction();
    startTransaction.call(session, options);
  };
}
