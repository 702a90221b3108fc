/**
 * What a transaction of four ORMs costs, one statement by each, against the same four statements sent by one ORM in a
 * transaction of its own, and by one ORM in a transaction of dbmanager. PostgreSQL, one shared pool of ten.
 */
import type { ConnectionTransaction } from 'dbmanager';
import { knexHands } from '../test/cross-orm/hands/knex.ts';
import { type KyselyTables, kyselyHands } from '../test/cross-orm/hands/kysely.ts';
import { mikroOrmHands } from '../test/cross-orm/hands/mikro-orm.ts';
import { typeormHands } from '../test/cross-orm/hands/typeorm.ts';
import type { Hands } from '../test/cross-orm/hands.ts';
import { type Comparison, main, type Subject } from './harness.ts';
import { nextAccount, OrmBench } from './support/orm-bench.ts';
import { ORM_ENGINES } from './support/orm-engines.ts';
import { throughput } from './support/throughput.ts';

const PER_ROUND = 1_500;

const engine = ORM_ENGINES.postgres;

await using bench = await OrmBench.start(engine);
const { connection } = bench;
const shared = await Promise.all(engine.orms.four.map((orm) => orm.shared(connection)));

/** In the order of `shared`. */
const BIND: readonly ((tx: ConnectionTransaction) => Hands)[] = [
  (tx) => knexHands(tx.knex(), 'postgres'),
  (tx) => typeormHands(tx.typeorm(), 'postgres'),
  (tx) => mikroOrmHands(tx.mikroorm(), 'postgres'),
  (tx) => kyselyHands(tx.kysely<KyselyTables>(), 'postgres'),
];

/** A select by key by each of four hands, which may be those of one. */
async function statements(four: readonly Hands[]): Promise<void> {
  for (const hands of four) await hands.balance(nextAccount());
}

let turn = 0;
/** One ORM does all four; each of the ORMs has its turn, so that all of them do the same in the end. */
const inTurn = () => turn++ % shared.length;

/** The reference, and its own control. */
function eachInItsOwn(): Promise<unknown> {
  const hands = shared[inTurn()] as Hands;
  return hands.transaction((own) => statements([own, own, own, own]));
}

const TRANSACTIONS: Readonly<Record<string, () => Promise<unknown>>> = {
  'each ORM alone, in its own': eachInItsOwn,
  'each ORM alone, in its own, again (control)': eachInItsOwn,
  'each ORM alone, in one of dbmanager': () => {
    const bind = BIND[inTurn()] as (typeof BIND)[0];
    return connection.transaction((tx) => {
      const own = bind(tx);
      return statements([own, own, own, own]);
    });
  },
  'four ORMs in one': () => connection.transaction((tx) => statements(BIND.map((bind) => bind(tx)))),
};

const comparisons = [1, 50].map(
  (callers): Comparison => ({
    title: `transaction of four selects by key, ${callers} callers`,
    unit: 'transactions/s',
    better: 'higher',
    against: 'each ORM alone, in its own',
    rounds: 15,
    cpu: true,
    warmUps: 3,
    subjects: Object.entries(TRANSACTIONS).map(
      ([name, transaction]): Subject => ({ name, round: () => throughput([transaction], PER_ROUND, callers) }),
    ),
  }),
);

await main(comparisons);
