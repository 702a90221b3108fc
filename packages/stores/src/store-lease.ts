import type { StoreContext, StoreOptions } from './store-context.js';
import { STORE_LEASES } from './store-tables.js';

/** What a {@link StoreLease} is made of. */
export interface StoreLeaseSetup {
  readonly context: StoreContext;
  /** What it is for. */
  readonly name: string;
  /** Of whom it is: one for each process. */
  readonly owner: string;
}

/**
 * The right to do what one process at a time is to do, for some time: a row that says whose it is and until when. It outlives no
 * process by more than that time, holds no connection meanwhile, and so works behind poolers and where there are no locks by name.
 * Clocks of processes differ, and so it is for work of which a second helping does no harm.
 */
export class StoreLease {
  readonly #context: StoreContext;
  readonly #name: string;
  readonly #owner: string;
  readonly #table: string;

  constructor({ context, name, owner }: StoreLeaseSetup) {
    this.#context = context;
    this.#name = name;
    this.#owner = owner;
    this.#table = context.name(STORE_LEASES);
  }

  /** Takes it, or goes on having it, for `ms` from now. False while another has it. */
  async take(ms: number, options?: StoreOptions): Promise<boolean> {
    const context = this.#context;
    const now = context.now();
    const select = `select owner, expires_at from ${this.#table} where name = ?`;
    const row = await context.queryOne(STORE_LEASES, select, [this.#name], options);
    if (row === undefined) await this.#insertFree(options);
    else if (row.owner !== this.#owner && Number(row.expires_at) > now) return false;
    // Of several who have found it free the first gets it.
    const { rowsAffected } = await context.execute(
      STORE_LEASES,
      `update ${this.#table} set owner = ?, expires_at = ? where name = ? and (owner = ? or expires_at <= ?)`,
      [this.#owner, now + ms, this.#name, this.#owner, now],
      options,
    );
    return rowsAffected > 0;
  }

  /** Gives it up, so that another can have it at once. Does nothing when it is another's. */
  async give(options?: StoreOptions): Promise<void> {
    const sql = `update ${this.#table} set expires_at = 0 where name = ? and owner = ?`;
    await this.#context.execute(STORE_LEASES, sql, [this.#name, this.#owner], options);
  }

  async #insertFree(options: StoreOptions | undefined): Promise<void> {
    const columns = ['name', 'owner', 'expires_at'] as const;
    const sql = this.#context.dialect.insertAbsent({ table: STORE_LEASES, name: this.#table, columns });
    await this.#context.execute(STORE_LEASES, sql, [this.#name, this.#owner, 0], options);
  }
}
