/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, QueryResult } from 'kysely';
import type { Statements } from './statements.js';
import type { StockMssqlConnection } from './stock-mssql.js';

/** Statements by Kysely's own object for a connection of tedious. */
export class MssqlStatements implements Statements {
  readonly #stock: StockMssqlConnection | Promise<StockMssqlConnection>;

  /** @param stock rejects never: nothing is opened for it. */
  constructor(stock: StockMssqlConnection | Promise<StockMssqlConnection>) {
    this.#stock = stock;
  }

  async execute(query: CompiledQuery): Promise<QueryResult<unknown>> {
    return (await this.#stock).executeQuery(query);
  }

  async *stream(query: CompiledQuery, chunkSize: number): AsyncGenerator<QueryResult<unknown>, void> {
    yield* (await this.#stock).streamQuery(query, chunkSize);
  }
}
