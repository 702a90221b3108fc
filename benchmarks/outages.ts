/**
 * Three bad moments of PostgreSQL and MariaDB (`--engine NAME`: of one of them), behind a proxy that fails as networks do: ten
 * idle sockets that have become black holes, a port that refuses while a hundred callers want a connection, and fifty callers
 * at once where connecting takes long.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultProxy } from '@dbmanager/testkit';
import { ConnectionManager } from 'dbmanager';
import { type Comparison, main, type Subject } from './harness.ts';
import { OUTAGE_ENGINES, type OutageEngine, type Place, type Target } from './support/outage-engines.ts';
import { SlowDoor } from './support/slow-door.ts';
import { wantedEngines } from './support/wanted-engines.ts';

const IDLE = 10;
const TIMEOUT_MS = 1_000;
const CALLERS = 100;
const REFUSED_FOR_MS = 10_000;
const SPIKE = { idle: 5, max: 50, callers: 50, connectMs: 150, queryMs: 2 };

/** How a pool under test is opened, at a proxy's port. */
interface Contender {
  readonly name: string;
  open(place: Place, sizes: { readonly max: number; readonly idle: number }): Promise<Opened>;
}

interface Opened extends Target {
  /** Connects that failed until now, where the pool counts them; else each failed query is taken for one. */
  readonly failedConnects?: () => number;
}

function managed(name: string, engine: OutageEngine): Contender {
  return {
    name,
    async open(place, { max, idle }) {
      const primary = {
        type: engine.name,
        ...place,
        max_open_conns: max,
        max_idle_conns: idle,
        validation_timeout: `${TIMEOUT_MS}ms`,
        acquire_timeout: '5s',
      };
      const manager = ConnectionManager.from({ health_check_interval: '0', connections: { primary } });
      await manager.connect();
      const connection = manager.get('primary');
      return {
        query: engine.managed(connection),
        close: () => manager.close({ drainTimeoutMs: 0 }),
        failedConnects: () => connection.stats().pool.createFailures,
      };
    },
  };
}

function own({ alone, own: open }: OutageEngine): Contender {
  return { name: alone, open: async (place, { max }) => open(place, { max, timeoutMs: TIMEOUT_MS }) };
}

function blackHoles({ name, open }: Contender, server: Place): Subject {
  let failures = 0;
  return {
    name,
    extra: () => ({ failures }),
    async round() {
      const proxy = await FaultProxy.start(server);
      const target = await open({ ...server, port: proxy.port }, { max: IDLE, idle: IDLE });
      await Promise.all(Array.from({ length: IDLE }, () => target.query(50)));
      // Longer than validate_after, as sockets are that a firewall has forgotten.
      await sleep(700);
      proxy.blackHole();
      failures = 0;
      const startedAt = performance.now();
      for (let answered = false; !answered; ) {
        answered = await target.query(50).then(
          () => true,
          () => false,
        );
        if (!answered) failures++;
      }
      const recoveredAfter = performance.now() - startedAt;
      proxy.close();
      await target.close();
      return recoveredAfter;
    },
  };
}

function refused({ name, open }: Contender, server: Place): Subject {
  return {
    name,
    async round() {
      const proxy = await FaultProxy.start(server);
      const target = await open({ ...server, port: proxy.port }, { max: IDLE, idle: IDLE });
      await target.query(50);
      let failedQueries = 0;
      const { failedConnects = () => failedQueries } = target;
      proxy.refuse();
      proxy.cut('reset');
      const before = failedConnects();
      const until = performance.now() + REFUSED_FOR_MS;
      const caller = async () => {
        while (performance.now() < until) await target.query(50).catch(() => failedQueries++);
      };
      const callers = Promise.all(Array.from({ length: CALLERS }, caller));
      await sleep(REFUSED_FOR_MS);
      const made = failedConnects() - before;
      await proxy.accept();
      await callers;
      proxy.close();
      await target.close();
      return made;
    },
  };
}

function spike({ name, open }: Contender, server: Place): Subject {
  let sockets = 0;
  return {
    name,
    extra: () => ({ sockets }),
    async round() {
      const door = await SlowDoor.start(server);
      const target = await open({ ...server, port: door.port }, SPIKE);
      // All at the same time, so that there are as many idle ones afterwards.
      await Promise.all(Array.from({ length: SPIKE.idle }, () => target.query(50)));
      door.delayMs = SPIKE.connectMs;
      const startedAt = performance.now();
      await Promise.all(Array.from({ length: SPIKE.callers }, () => target.query(SPIKE.queryMs)));
      const tookMs = performance.now() - startedAt;
      sockets = door.accepted;
      // What is still connecting arrives.
      await sleep(2 * SPIKE.connectMs);
      await target.close();
      door.close();
      return tookMs;
    },
  };
}

async function comparisons(engine: OutageEngine): Promise<Comparison[]> {
  const server = await engine.place();
  const contenders = [own(engine), managed('managed', engine), managed('managed, again (control)', engine)];
  const compared = (
    title: string,
    unit: string,
    subject: (contender: Contender, at: Place) => Subject,
    rounds: number,
  ): Comparison => ({
    title: `${engine.title}: ${title}`,
    unit,
    better: 'lower',
    against: engine.alone,
    rounds,
    warmUps: 0,
    subjects: contenders.map((contender) => subject(contender, server)),
  });
  const { callers, idle, max, connectMs, queryMs } = SPIKE;
  return [
    compared(
      `spike of ${callers} callers, ${idle} idle of at most ${max}, connecting takes ${connectMs} ms more, query ${queryMs} ms`,
      'ms',
      spike,
      9,
    ),
    compared(
      `${IDLE} idle sockets black-holed, ${TIMEOUT_MS} ms timeout: until a query is answered again`,
      'ms',
      blackHoles,
      5,
    ),
    compared(`connects in ${REFUSED_FOR_MS / 1_000} s on a refused port, ${CALLERS} callers`, 'connects', refused, 5),
  ];
}

await main((await Promise.all(wantedEngines(OUTAGE_ENGINES).map(comparisons))).flat());
