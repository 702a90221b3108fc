// An embedded key-value store: sessions that expire, ordered scans, and a transaction over two namespaces.
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';

interface Session {
  readonly user: string;
}

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const cache = mgr.get('cache');
  const sessions = cache.kv<Session>({ namespace: 'sessions' });
  const counters = cache.kv<number>({ namespace: 'counters' });
  await Promise.all([sessions.clear(), counters.clear()]);

  await sessions.set('ada:2', { user: 'Ada' }, { ttlMs: 3_600_000 });
  await sessions.set('ada:1', { user: 'Ada' }, { ttlMs: 3_600_000 });
  await sessions.set('grace:1', { user: 'Grace' }, { ttlMs: 3_600_000 });
  for await (const [key, { user }] of sessions.scan({ prefix: 'ada:' })) console.log('session', key, 'of', user);

  // Ten at a time, on the same key: each sees what the one before has written, and none is lost.
  const login = (user: string) =>
    counters.transaction(async (tx) => {
      await tx.set(user, ((await tx.get(user)) ?? 0) + 1);
    });
  await Promise.all(Array.from({ length: 10 }, () => login('Ada')));
  console.log('logins of Ada:', await counters.get('Ada'));

  // All of it or nothing, whenever the process dies.
  await sessions
    .batch()
    .delete('ada:1')
    .delete('ada:2')
    .namespace<number>({ namespace: 'counters' })
    .set('Ada', 0)
    .write();
  console.log('after the batch:', await sessions.getMany(['ada:1', 'ada:2', 'grace:1']), await counters.get('Ada'));
} finally {
  await mgr.close();
}
