/** Texts that are remembered as forgotten. Who has not asked since an older one was gives up all it keeps. */
const REMEMBERED = 1_000;
const NONE: readonly KeptStatement[] = [];

/** A statement that a connection keeps prepared. */
export interface KeptStatement {
  readonly sql: string;
  /** Given to no other on that connection, ever. */
  readonly number: number;
  /** How often it was asked for there: 1 where it has just come to be kept. */
  readonly uses: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What one connection keeps. */
interface Kept {
  readonly byText: Map<string, Mutable<KeptStatement>>;
  /** To be freed when it is next this connection's turn. */
  unwanted: KeptStatement[];
  /** The last number given. */
  last: number;
  /** How many had been forgotten when this was last looked at. */
  seen: number;
}

/**
 * Which statements each connection keeps prepared. One that is forgotten is freed on a connection before the next statement
 * there, as only then it is its turn. Connections are held weakly: one that is gone took along what it kept.
 */
export class KeptStatements<C extends object> {
  readonly #most: number;
  readonly #kept = new WeakMap<C, Kept>();
  /** When each text was last forgotten, the longest ago first. */
  readonly #forgotten = new Map<string, number>();
  #times = 0;
  /** Up to when what was forgotten is not known by text any more. */
  #unknown = 0;

  /** @param most statements kept on one connection; another then takes the place of the one that was not used for longest. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Notes that a connection keeps a statement from now on. */
  keep(connection: C, sql: string): KeptStatement {
    const kept = this.#of(connection);
    const { byText } = kept;
    const known = byText.get(sql);
    if (known !== undefined) {
      // The order of use matters only once something must go.
      if (byText.size === this.#most) {
        byText.delete(sql);
        byText.set(sql, known);
      }
      known.uses++;
      return known;
    }
    if (byText.size === this.#most) drop(kept, byText.keys().next().value as string);
    const statement = { sql, number: ++kept.last, uses: 1 };
    byText.set(sql, statement);
    return statement;
  }

  /** What a connection keeps of that text; undefined when it keeps none. */
  peek(connection: C, sql: string): KeptStatement | undefined {
    return this.#seen(connection)?.byText.get(sql);
  }

  /** Has every connection free a statement. */
  forget(sql: string): void {
    this.#forgotten.delete(sql);
    this.#forgotten.set(sql, ++this.#times);
    if (this.#forgotten.size <= REMEMBERED) return;
    const [[oldest, at]] = this.#forgotten as unknown as [[string, number]];
    this.#forgotten.delete(oldest);
    this.#unknown = at;
  }

  /** Has one connection free it. */
  forgetOn(connection: C, sql: string): void {
    const kept = this.#seen(connection);
    if (kept !== undefined) drop(kept, sql);
  }

  /** What is to be freed on a connection now; each is given once. */
  takeUnwanted(connection: C): readonly KeptStatement[] {
    const kept = this.#seen(connection);
    if (kept === undefined || kept.unwanted.length === 0) return NONE;
    const { unwanted } = kept;
    kept.unwanted = [];
    return unwanted;
  }

  #of(connection: C): Kept {
    const kept = this.#seen(connection);
    if (kept !== undefined) return kept;
    const made: Kept = { byText: new Map(), unwanted: [], last: 0, seen: this.#times };
    this.#kept.set(connection, made);
    return made;
  }

  /** What a connection that has kept any keeps now. */
  #seen(connection: C): Kept | undefined {
    const kept = this.#kept.get(connection);
    if (kept !== undefined && kept.seen !== this.#times) this.#catchUp(kept);
    return kept;
  }

  #catchUp(kept: Kept): void {
    const all = kept.seen < this.#unknown;
    for (const sql of kept.byText.keys()) {
      if (all || (this.#forgotten.get(sql) ?? 0) > kept.seen) drop(kept, sql);
    }
    kept.seen = this.#times;
  }
}

function drop({ byText, unwanted }: Kept, sql: string): void {
  const statement = byText.get(sql);
  if (statement === undefined) return;
  byText.delete(sql);
  unwanted.push(statement);
}
