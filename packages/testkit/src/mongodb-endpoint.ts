import { randomUUID } from 'node:crypto';
import type { TestServerEndpoint } from './describe-with-server.js';

type Document = Record<string, unknown>;

/**
 * Administers a running MongoDB, or what speaks like it, over a client of its own for each call, so that nothing it does shows
 * in the pools under test. Needs the package `mongodb`.
 */
export class MongodbEndpoint implements TestServerEndpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly #url: string;

  /** @param url of a superuser, with any database or none. Of several hosts it shows the first. */
  constructor(url: string) {
    // The URL class takes neither several hosts nor one without a port for what they are.
    const { hostname, port, username, password } = new URL(url.replace(/(@[^,/]+),[^/]+/, '$1'));
    this.#url = url;
    this.host = hostname;
    this.port = port === '' ? 27_017 : Number(port);
    this.user = decodeURIComponent(username);
    this.password = decodeURIComponent(password);
  }

  /** The URL of a database of this server. */
  url(database = ''): string {
    return this.#url.replace(/^([^/]*\/\/[^/?]*)(\/[^?]*)?/, `$1/${encodeURIComponent(database)}`);
  }

  /** Host, port, user, password and database as the YAML of a connection has them. */
  connection(database = 'test') {
    const { host, port, user, password } = this;
    return { host, port, user, password, database };
  }

  /** Runs a command as superuser. */
  async command(command: Document, database = 'admin'): Promise<Document> {
    const { default: mongodb } = await import('mongodb');
    const client = new mongodb.MongoClient(this.#url);
    try {
      return await client.db(database).command(command);
    } finally {
      await client.close();
    }
  }

  async version(): Promise<string> {
    const { version, ferretdbVersion } = await this.command({ buildInfo: 1 });
    return ferretdbVersion === undefined ? String(version) : `FerretDB ${ferretdbVersion}, as MongoDB ${version}`;
  }

  /** A name of a database unlike any other; there is nothing to create. */
  newDatabase(): string {
    return `test_${randomUUID().replaceAll('-', '')}`;
  }

  /** As the servers of SQL have it. */
  async createDatabase(): Promise<string> {
    return this.newDatabase();
  }

  async dropDatabase(name: string): Promise<void> {
    await this.command({ dropDatabase: 1 }, name);
  }

  /** Creates a user who may do everything in `database`, or gives it this password. */
  async setUser(user: string, password: string, database: string): Promise<void> {
    const { users } = await this.command({ usersInfo: { user, db: database } }, database);
    const command = Array.isArray(users) && users.length > 0 ? 'updateUser' : 'createUser';
    // FerretDB knows no roles, and takes none.
    const isFerretdb = (await this.version()).startsWith('FerretDB');
    const roles = isFerretdb ? [] : ['readWrite'];
    await this.command({ [command]: user, pwd: password, ...(command === 'createUser' && { roles }) }, database);
  }

  /** Removes that user. */
  async dropUser(user: string, database: string): Promise<void> {
    await this.command({ dropUser: user }, database);
  }
}
