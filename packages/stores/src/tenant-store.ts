import { DbManagerError, hostName, isDbManagerError, type Row } from '@dbmanager/core';
import { insertRows } from './insert-rows.js';
import type { StoreContext, StoreOptions } from './store-context.js';
import { columnsOf } from './store-table.js';
import { TENANT_HOSTS, TENANTS } from './store-tables.js';
import {
  dateOf,
  flagOf,
  inputOf,
  isKey,
  type JsonObject,
  jsonOf,
  keyOf,
  parsedJson,
  textOf,
  wholeOf,
} from './store-values.js';

/** A tenant to save. */
export interface TenantInput {
  readonly id: string;
  readonly name: string;
  /** Hosts by which requests are its own; none may be another tenant's. Default: none. */
  readonly hosts?: readonly string[] | undefined;
  /** What JSON has. Default: empty. */
  readonly config?: JsonObject | undefined;
  /** Whether it is found by its hosts. Default: true. */
  readonly isActive?: boolean | undefined;
  /** Kept for the application, which enforces it; so are the other two. Default: 0. */
  readonly maxUsers?: number | undefined;
  /** In bytes. Default: 0. */
  readonly maxStorage?: number | undefined;
  /** Default: 0. */
  readonly maxRequests?: number | undefined;
}

/** A tenant. */
export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** As {@link hostName} writes them, in the order in which they were saved. */
  readonly hosts: readonly string[];
  readonly config: JsonObject;
  readonly isActive: boolean;
  /** When it was saved for the first time. */
  readonly createdAt: Date;
  /** When it was last saved. */
  readonly updatedAt: Date;
  readonly maxUsers: number;
  readonly maxStorage: number;
  readonly maxRequests: number;
}

const COLUMNS = columnsOf(TENANTS);

/**
 * Tenants, and the hosts by which they are found: each host a row of a table of its own, so that it is found whole and by an
 * index, and is one tenant's by the database's word. Every method rejects with `DBM_STORE_TABLE` when a table is missing.
 */
export class TenantStore {
  readonly #context: StoreContext;
  readonly #table: string;
  readonly #hosts: string;
  readonly #upsert: string;
  readonly #select: string;

  constructor(context: StoreContext) {
    this.#context = context;
    this.#table = context.name(TENANTS);
    this.#hosts = context.name(TENANT_HOSTS);
    this.#upsert = context.dialect.upsert({
      table: TENANTS,
      name: this.#table,
      columns: COLUMNS,
      keeps: ['created_at'],
    });
    const columns = COLUMNS.map((column) => `t.${column}`).join(', ');
    this.#select = `select ${columns}, h.host from ${this.#table} t left join ${this.#hosts} h on h.tenant_id = t.id`;
  }

  /**
   * Saves a tenant with its hosts, in place of one with its id; the moment at which that was created is kept. All of it or nothing:
   * rejects with `DBM_UNIQUE_VIOLATION` when a host is another tenant's, with `DBM_INVALID_OPTION` for what cannot be stored.
   */
  async save(tenant: TenantInput, options?: StoreOptions): Promise<void> {
    const values = this.#valuesOf(inputOf(this.#context, 'tenant', tenant));
    const hosts = this.#hostsOf(tenant.hosts ?? []);
    const params = COLUMNS.map((column) => values[column]);
    await this.#context.transaction(async (context) => {
      // First of all its own row, for which another call for the same tenant then waits.
      await context.execute(TENANTS, this.#upsert, params, options);
      // Not of a new one: InnoDB would lock the gap, and tenants that are new at the same time each other out.
      if (!(await this.#isNew(context, values, options))) await this.#giveUpHosts(context, values.id, options);
      await this.#insertHosts(context, values.id, hosts, options);
    }, options);
  }

  /**
   * Whether the tenant just saved was not there before. Its hosts alone do not tell: InnoDB shows a transaction those of its
   * beginning, whatever others have saved since, but always a row that it has itself changed.
   */
  async #isNew(
    context: StoreContext,
    { id, created_at }: { readonly id: string; readonly created_at: number },
    options: StoreOptions | undefined,
  ): Promise<boolean> {
    const row = await context.queryOne(TENANTS, `${this.#select} where t.id = ?`, [id], options);
    return row?.host === null && Number(row.created_at) === created_at;
  }

  async #insertHosts(
    context: StoreContext,
    id: string,
    hosts: readonly string[],
    options: StoreOptions | undefined,
  ): Promise<void> {
    const rows = hosts.map((host, place) => [host, id, place]);
    try {
      await insertRows(context, TENANT_HOSTS, ['host', 'tenant_id', 'place'], rows, options);
    } catch (error) {
      if (!isDbManagerError(error, 'DBM_UNIQUE_VIOLATION')) throw error;
      const { connectionName } = context;
      const message = `a host of the tenant is another tenant's already; it has ${hosts.join(', ')}`;
      throw new DbManagerError('DBM_UNIQUE_VIOLATION', message, {
        connectionName,
        option: 'hosts',
        cause: error,
        constraint: error.constraint,
        table: this.#hosts,
      });
    }
  }

  async #giveUpHosts(context: StoreContext, id: string, options: StoreOptions | undefined): Promise<void> {
    await context.execute(TENANT_HOSTS, `delete from ${this.#hosts} where tenant_id = ?`, [id], options);
  }

  /** The tenant, active or not; undefined when there is none. */
  async load(id: string, options?: StoreOptions): Promise<Tenant | undefined> {
    if (!isKey(id)) return undefined;
    return this.#find('t.id = ?', [id], options);
  }

  /** As {@link load}, but rejects with `DBM_NOT_FOUND` when there is none. */
  async loadOrThrow(id: string, options?: StoreOptions): Promise<Tenant> {
    return this.#found(await this.load(id, options), 'of this id');
  }

  /**
   * The active tenant that has this host: all of it, in any case and with any port, as a `Host` header has it. Undefined when there
   * is none.
   */
  async loadByHost(host: string, options?: StoreOptions): Promise<Tenant | undefined> {
    const name = hostName(host);
    if (name === undefined) return undefined;
    const where = `t.is_active = ? and t.id = (select tenant_id from ${this.#hosts} where host = ?)`;
    return this.#find(where, [true, name], options);
  }

  /** As {@link loadByHost}, but rejects with `DBM_NOT_FOUND` when there is none. */
  async loadByHostOrThrow(host: string, options?: StoreOptions): Promise<Tenant> {
    return this.#found(await this.loadByHost(host, options), 'of this host that is active');
  }

  /** Deletes a tenant and gives up its hosts; false when there was none, which is no error. */
  async delete(id: string, options?: StoreOptions): Promise<boolean> {
    if (!isKey(id)) return false;
    return this.#context.transaction(async (context) => {
      // First of all its own row, as in `save`: in another order two calls could wait for each other.
      const { rowsAffected } = await context.execute(TENANTS, `delete from ${this.#table} where id = ?`, [id], options);
      // The rows of hosts have gone with it, but for a SQLite that does not enforce foreign keys.
      await this.#giveUpHosts(context, id, options);
      return rowsAffected > 0;
    }, options);
  }

  async #find(
    where: string,
    params: readonly unknown[],
    options: StoreOptions | undefined,
  ): Promise<Tenant | undefined> {
    const rows = await this.#context.query(TENANTS, `${this.#select} where ${where} order by h.place`, params, options);
    const [first] = rows;
    return first && tenantOf(first, rows);
  }

  #found(tenant: Tenant | undefined, which: string): Tenant {
    if (tenant !== undefined) return tenant;
    const { connectionName } = this.#context;
    throw new DbManagerError('DBM_NOT_FOUND', `there is no tenant ${which}`, { connectionName });
  }

  #valuesOf(tenant: TenantInput) {
    const context = this.#context;
    const now = context.now();
    const { id, name, config = {}, isActive = true, maxUsers = 0, maxStorage = 0, maxRequests = 0 } = tenant;
    return {
      id: keyOf(context, 'id', id),
      name: textOf(context, 'name', name),
      config: jsonOf(context, 'config', config),
      is_active: this.#flag('isActive', isActive),
      created_at: now,
      updated_at: now,
      max_users: wholeOf(context, 'maxUsers', maxUsers),
      max_storage: wholeOf(context, 'maxStorage', maxStorage),
      max_requests: wholeOf(context, 'maxRequests', maxRequests),
    };
  }

  #flag(option: string, value: unknown): boolean {
    if (typeof value === 'boolean') return value;
    throw this.#context.invalid(option, `${option} must be true or false`);
  }

  #hostsOf(hosts: readonly string[]): readonly string[] {
    if (!Array.isArray(hosts)) throw this.#context.invalid('hosts', 'hosts must be a list');
    const names = hosts.map((host: string) => {
      const name = hostName(host);
      if (name === undefined) throw this.#context.invalid('hosts', 'hosts must be names or addresses of hosts');
      return name;
    });
    return [...new Set(names)];
  }
}

/** @param rows one for each host */
function tenantOf(first: Row, rows: readonly Row[]): Tenant {
  return {
    id: String(first.id),
    name: String(first.name),
    hosts: rows.flatMap(({ host }) => (host === null ? [] : [String(host)])),
    config: parsedJson<JsonObject>(first.config),
    isActive: flagOf(first.is_active),
    createdAt: dateOf(first.created_at),
    updatedAt: dateOf(first.updated_at),
    maxUsers: Number(first.max_users),
    maxStorage: Number(first.max_storage),
    maxRequests: Number(first.max_requests),
  };
}
