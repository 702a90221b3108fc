/**
 * Select by key and insert on SQLite: through a session and a native handle, against better-sqlite3 itself used both ways,
 * with its statements prepared once and prepared each time. All calls are awaited, as they are in a service.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteProvider } from '@dbmanager/provider-sqlite';
import { TestConnection } from '@dbmanager/testkit';
import Database from 'better-sqlite3';
import { type Comparison, main, type Subject } from './harness.ts';
import { throughput } from './support/throughput.ts';

const ROWS = 10_000;
const OPERATIONS = 10_000;
const SELECT = 'select id, name from items where id = ?';
const INSERT = 'insert into log (item, note) values (?, ?)';

const folder = mkdtempSync(join(tmpdir(), 'dbm-bench-'));
const filepath = join(folder, 'bench.db');
const connection = await TestConnection.open(sqliteProvider, { filepath });
const { engine, lanes } = connection;
const session = engine.sql?.session(lanes);
const native = engine.native?.(lanes) as import('@dbmanager/provider-sqlite').SqliteNative;
if (session === undefined) throw new Error('sqlite has sessions');
await native.transaction((database) => {
  database.exec('create table items (id integer primary key, name text)');
  database.exec('create table log (id integer primary key, item integer, note text)');
  const insert = database.prepare('insert into items values (?, ?)');
  for (let id = 1; id <= ROWS; id++) insert.run(id, `item ${id}`);
});

const raw = new Database(filepath);
raw.pragma('synchronous = normal');
const preparedSelect = raw.prepare(SELECT);
const preparedInsert = raw.prepare(INSERT);

let next = 0;
const nextId = () => 1 + (next++ % ROWS);

function subject(name: string, callers: number, operation: () => Promise<unknown>): Subject {
  return {
    name,
    round: () => throughput([operation], OPERATIONS, callers),
  };
}

const comparisons = [1, 32, 256].flatMap((callers): Comparison[] => {
  const figures = { unit: 'ops/s', better: 'higher', against: 'raw, prepared each time' } as const;
  return [
    {
      ...figures,
      title: `SQLite select by key, ${callers} callers`,
      subjects: [
        subject('raw, prepared each time', callers, async () => raw.prepare(SELECT).get(nextId())),
        subject('raw, prepared once', callers, async () => preparedSelect.get(nextId())),
        subject('session', callers, () => session.query({ sql: SELECT, params: [nextId()] })),
        subject('native read', callers, () => native.read((database) => database.prepare(SELECT).get(nextId()))),
      ],
    },
    {
      ...figures,
      title: `SQLite insert, ${callers} callers`,
      subjects: [
        subject('raw, prepared each time', callers, async () => raw.prepare(INSERT).run(nextId(), 'a note')),
        subject('raw, prepared once', callers, async () => preparedInsert.run(nextId(), 'a note')),
        subject('session', callers, () => session.query({ sql: INSERT, params: [nextId(), 'a note'] })),
        subject('native write', callers, () => native.write((database) => database.prepare(INSERT).run(nextId(), 'x'))),
      ],
    },
  ];
});

try {
  await main(comparisons);
} finally {
  raw.close();
  await connection.close();
  rmSync(folder, { recursive: true });
}
