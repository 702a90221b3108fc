/** A running server that is named by a URL. */
export abstract class UrlEndpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly #url: string;
  readonly #database: string | undefined;

  /**
   * @param url of an administrator, with any database or none.
   * @param defaults the port where it names none, and the database that calls without one mean.
   */
  constructor(url: string, defaults: { readonly port: number; readonly database?: string }) {
    const { hostname, port, username, password } = new URL(url);
    this.#url = url;
    this.#database = defaults.database;
    this.host = hostname;
    this.port = port === '' ? defaults.port : Number(port);
    this.user = decodeURIComponent(username);
    this.password = decodeURIComponent(password);
  }

  /** The URL of a database of this server. */
  url(database = this.#database): string {
    const url = new URL(this.#url);
    url.pathname = `/${encodeURIComponent(database ?? '')}`;
    return url.href;
  }

  /** Host, port, user, password and database as the YAML of a connection has them. */
  connection(database = this.#database) {
    const { host, port, user, password } = this;
    return { host, port, user, password, database };
  }
}
