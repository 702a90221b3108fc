import { Connection, type ConnectionConfiguration, type ISOLATION_LEVEL, Request, type TYPES } from 'tedious';

/** What a request has given. */
export interface TediousResult {
  readonly rows: readonly Record<string, unknown>[];
  /** The rows by position. */
  readonly values: readonly (readonly unknown[])[];
  readonly rowCount: number;
  /** Output parameters and the return status. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Names and types of the columns of each result. */
  readonly columns: readonly (readonly { readonly colName: string; readonly type: { readonly name: string } }[])[];
}

/** A parameter: its type by the value, or as said. */
export interface TediousParameter {
  readonly name: string;
  readonly type: (typeof TYPES)[keyof typeof TYPES];
  readonly value?: unknown;
  readonly output?: boolean;
  readonly options?: { readonly precision?: number; readonly scale?: number; readonly length?: number } | undefined;
}

/** How a request runs. */
export type TediousRun = 'execSqlBatch' | 'execSql' | 'callProcedure';

/** A connection of tedious by promises, for tests. */
export class TediousClient {
  readonly connection: Connection;
  /** Of remarks, not of errors. */
  readonly infos: { readonly number: number; readonly message: string }[] = [];
  /** How often the server has told of a rollback. */
  rollbacks = 0;
  readonly closed: Promise<void>;

  constructor(configuration: ConnectionConfiguration) {
    this.connection = new Connection(configuration);
    this.connection.on('infoMessage', ({ number, message }) => this.infos.push({ number, message }));
    // An event of tedious that its types leave out.
    (this.connection as NodeJS.EventEmitter).on('rollbackTransaction', () => this.rollbacks++);
    this.connection.on('error', () => undefined); // what is lost is told to its request
    this.closed = new Promise((resolve) => this.connection.once('end', resolve));
  }

  static async connect(configuration: ConnectionConfiguration): Promise<TediousClient> {
    const client = new TediousClient(configuration);
    await new Promise<void>((resolve, reject) => {
      client.connection.connect((error) => (error ? reject(error) : resolve()));
    });
    return client;
  }

  /** Runs a batch. */
  batch(sql: string): Promise<TediousResult> {
    return this.start('execSqlBatch', sql).result;
  }

  /** Runs text with parameters, by sp_executesql. */
  query(sql: string, ...parameters: readonly TediousParameter[]): Promise<TediousResult> {
    return this.start('execSql', sql, parameters).result;
  }

  call(procedure: string, ...parameters: readonly TediousParameter[]): Promise<TediousResult> {
    return this.start('callProcedure', procedure, parameters).result;
  }

  /** Starts a request, to be cancelled while it runs. */
  start(run: TediousRun, sql: string, parameters: readonly TediousParameter[] = []) {
    const { promise: result, resolve, reject } = Promise.withResolvers<TediousResult>();
    const rows: Record<string, unknown>[] = [];
    const values: unknown[][] = [];
    const outputs: Record<string, unknown> = {};
    const columns: TediousResult['columns'][number][] = [];
    const request = new Request(sql, (error, rowCount = 0) => {
      if (error) reject(error);
      else resolve({ rows, values, rowCount, outputs, columns });
    });
    for (const { name, type, value, output = false, options } of parameters) {
      if (output) request.addOutputParameter(name, type, value, options);
      else request.addParameter(name, type, value, options);
    }
    request.on('columnMetadata', (metadata) => columns.push(metadata as TediousResult['columns'][number]));
    request.on('row', (cells: { readonly metadata: { readonly colName: string }; readonly value: unknown }[]) => {
      values.push(cells.map(({ value }) => value));
      rows.push(Object.fromEntries(cells.map(({ metadata, value }) => [metadata.colName, value])));
    });
    request.on('returnValue', (name, value) => {
      outputs[name] = value;
    });
    request.on('doneProc', (_count, _more, status) => {
      outputs.status = status;
    });
    this.connection[run](request);
    return { request, result };
  }

  begin(isolation?: (typeof ISOLATION_LEVEL)[keyof typeof ISOLATION_LEVEL]): Promise<void> {
    return this.#transaction((done) => this.connection.beginTransaction(done, '', isolation));
  }

  commit(): Promise<void> {
    return this.#transaction((done) => this.connection.commitTransaction(done));
  }

  rollback(name = ''): Promise<void> {
    return this.#transaction((done) => this.connection.rollbackTransaction(done, name));
  }

  save(name: string): Promise<void> {
    return this.#transaction((done) => this.connection.saveTransaction(done, name));
  }

  #transaction(run: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      run((error) => (error ? reject(error) : resolve()));
    });
  }

  /** The next request resets the connection, by its reset bit. */
  resetNext(): void {
    (this.connection as unknown as { resetConnectionOnNextRequest: boolean }).resetConnectionOnNextRequest = true;
  }

  async close(): Promise<void> {
    this.connection.close();
    await this.closed;
  }
}
