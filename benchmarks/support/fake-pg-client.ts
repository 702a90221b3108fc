import { createRequire } from 'node:module';

/** What the benchmarks use of pg-pool, which has no types of its own. */
export interface PgPoolLike {
  connect(): Promise<{ release(): void }>;
  end(): Promise<void>;
}

const PgPool = createRequire(import.meta.url)('pg-pool') as new (options: object) => PgPoolLike;

/** What pg-pool wants of a client. */
export class FakePgClient {
  once(): this {
    return this;
  }
  on(): this {
    return this;
  }
  removeListener(): this {
    return this;
  }
  connect(done: (error?: Error) => void): void {
    setImmediate(done);
  }
  end(done?: () => void): void {
    if (done !== undefined) setImmediate(done);
  }
  ref(): void {}
  unref(): void {}
}

/** A pg-pool of fake clients. */
export function fakePgPool(Client: typeof FakePgClient, max: number): PgPoolLike {
  return new PgPool({ Client, max });
}
