/** A running server that is named by a URL. `D` is `string` where a database is meant when none is named, else `undefined`. */
export abstract class UrlEndpoint<D extends string | undefined = undefined> {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly #url: string;
  readonly #database: D;

  /**
   * @param url of an administrator, with any database or none.
   * @param defaultPort where it names none.
   * @param defaultDatabase what calls without a database mean.
   */
  constructor(url: string, defaultPort: number, defaultDatabase: D) {
    const { hostname, port, username, password } = new URL(url);
    this.#url = url;
    this.#database = defaultDatabase;
    this.host = hostname;
    this.port = port === '' ? defaultPort : Number(port);
    this.user = decodeURIComponent(username);
    this.password = decodeURIComponent(password);
  }

  /** The URL of a database of this server. */
  url(database: string | D = this.#database): string {
    const url = new URL(this.#url);
    url.pathname = `/${encodeURIComponent(database ?? '')}`;
    return url.href;
  }

  /** Host, port, user, password and database as the YAML of a connection has them. */
  connection(database: string | D = this.#database) {
    const { host, port, user, password } = this;
    return { host, port, user, password, database };
  }
}
