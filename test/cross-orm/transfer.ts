import type { Random } from '@dbmanager/core';
import { isDbManagerError } from '@dbmanager/core';
import type { TransactionOptions } from '@dbmanager/database';
import type { Connection, ConnectionTransaction } from 'dbmanager';
import { ACCOUNTS, type Bank, entry } from './bank.js';
import type { Hands } from './hands.js';
import { type Participant, participantsOn } from './participants.js';

/** What a transaction has done so far that is to be kept, nested ones that were undone left out. */
export interface Effect {
  readonly entries: Set<number>;
  /** By account. */
  readonly deposits: Map<number, number>;
}

/** How a transaction ended for whoever asked for it, and what it would have done. */
export interface Ending {
  readonly outcome: 'committed' | 'rejected' | 'unknown';
  /** Whose transaction it was. */
  readonly by: string;
  readonly error: unknown;
  readonly effect: Effect;
  /** Every entry that it ever wrote, those of nested ones that were undone and of earlier attempts too. */
  readonly attempted: readonly number[];
}

/** Thrown by a transfer at random. */
export class ChangeOfMind extends Error {}

/** What may go wrong at random besides a change of mind. */
export interface Mischief {
  /** Called just before the callback ends, so that COMMIT is the next that is sent. */
  beforeCommit(random: Random): void;
  readonly options: readonly TransactionOptions[];
}

const MAX_DEPTH = 3;

/** One transaction that moves money between accounts, each step by an ORM of its own choice. */
export class Transfer {
  readonly #bank: Bank;
  readonly #participants: readonly Participant[];
  readonly #random: Random;
  readonly #mischief: Mischief;
  readonly #attempted: number[] = [];
  #nextId: number;
  #by = '';

  /** @param firstId of the entries that it writes; the thousand from there are its own. */
  constructor(bank: Bank, random: Random, mischief: Mischief, firstId: number) {
    this.#bank = bank;
    this.#participants = participantsOn({ name: bank.connection.type });
    this.#random = random;
    this.#mischief = mischief;
    this.#nextId = firstId;
  }

  /** Never rejects but for a fault of this test. */
  async run(): Promise<Ending> {
    let effect = noEffect();
    const attempt = async (work: (effect: Effect) => Promise<void>): Promise<void> => {
      effect = noEffect();
      await work(effect);
      this.#maybeThrow(0.1);
      this.#mischief.beforeCommit(this.#random);
    };
    try {
      if (this.#random() < 0.75) await this.#across(this.#bank.connection, attempt);
      else await this.#alone(attempt);
      return { outcome: 'committed', by: this.#by, error: undefined, effect, attempted: this.#attempted };
    } catch (error) {
      const outcome = isDbManagerError(error, 'DBM_COMMIT_UNKNOWN') ? 'unknown' : 'rejected';
      return { outcome, by: this.#by, error, effect, attempted: this.#attempted };
    }
  }

  /** A transaction of all ORMs. */
  #across(connection: Connection, attempt: (work: (effect: Effect) => Promise<void>) => Promise<void>): Promise<void> {
    const options = this.#oneOf(this.#mischief.options);
    this.#by = `all of them ${JSON.stringify(options)}`;
    return connection.transaction(options, (tx) =>
      attempt((effect) => this.#level(effect, () => this.#oneOf(this.#participants).bind(tx), tx, 1)),
    );
  }

  /** A transaction of one ORM alone; the drivers have none that would say how it ended. */
  #alone(attempt: (work: (effect: Effect) => Promise<void>) => Promise<void>): Promise<void> {
    const { name } = this.#oneOf(this.#participants.filter(({ silentOutcome }) => silentOutcome !== true));
    this.#by = `${name} alone`;
    const open = this.#bank.open.get(name);
    if (open === undefined) throw new Error(`${name} is not open`);
    return open.hands.transaction((own) => attempt((effect) => this.#level(effect, () => own, undefined, 1)));
  }

  /** What is done at one level of nesting: a few steps. `pick` gives whose hands do the next. */
  async #level(effect: Effect, pick: () => Hands, tx: ConnectionTransaction | undefined, depth: number): Promise<void> {
    await this.#write(effect, pick());
    for (let steps = 1 + Math.floor(this.#random() * 3); steps > 0; steps--) {
      const choice = this.#random();
      if (choice < 0.35 && depth < MAX_DEPTH) await this.#nested(effect, pick, tx, depth);
      else if (choice < 0.45) await this.#write(effect, pick());
      else await this.#move(effect, pick);
    }
  }

  /** A nested transaction of whoever is picked; when it fails the outer one goes on, or not. */
  async #nested(
    effect: Effect,
    pick: () => Hands,
    tx: ConnectionTransaction | undefined,
    depth: number,
  ): Promise<void> {
    const inner = noEffect();
    try {
      await pick().transaction(async (own) => {
        // In a transaction of all ORMs handles of the outer one work in the nested one, too.
        const pickInner = tx === undefined ? () => own : () => (this.#random() < 0.5 ? own : pick());
        await this.#level(inner, pickInner, tx, depth + 1);
        this.#maybeThrow(0.3);
      });
    } catch (error) {
      if (this.#random() < 0.3) throw error;
      return;
    }
    merge(inner, effect);
  }

  /** From one account to another, by two ORMs, and at random with a change of mind between. */
  async #move(effect: Effect, pick: () => Hands): Promise<void> {
    const amount = 1 + Math.floor(this.#random() * 20);
    const from = 1 + Math.floor(this.#random() * ACCOUNTS);
    const to = 1 + ((from + Math.floor(this.#random() * (ACCOUNTS - 1))) % ACCOUNTS);
    await pick().deposit(from, -amount);
    this.#maybeThrow(0.03);
    await pick().deposit(to, amount);
    const move = new Map([[from, -amount]]);
    move.set(to, (move.get(to) ?? 0) + amount);
    merge({ entries: new Set(), deposits: move }, effect);
  }

  async #write(effect: Effect, hands: Hands): Promise<void> {
    const id = this.#nextId++;
    this.#attempted.push(id);
    await hands.insert(entry(id, 'transfer'));
    effect.entries.add(id);
  }

  #maybeThrow(probability: number): void {
    if (this.#random() < probability) throw new ChangeOfMind('changed its mind');
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

function noEffect(): Effect {
  return { entries: new Set(), deposits: new Map() };
}

/** Adds what a nested transaction has done, which has been kept, to the one around it. */
export function merge(from: Effect, into: Effect): void {
  for (const id of from.entries) into.entries.add(id);
  for (const [account, amount] of from.deposits) into.deposits.set(account, (into.deposits.get(account) ?? 0) + amount);
}
