// The other process of a test, on the built packages: it reads with the cache, or writes, as its parent says.
import { on } from 'node:events';
import { ConnectionManager } from 'dbmanager';

const [, , configuration] = process.argv;
const mgr = ConnectionManager.from(JSON.parse(configuration));
await mgr.connect();
const db = mgr.getDefaultDatabase();
const messages = on(process, 'message', { close: ['disconnect'] });
process.send('ready');
for await (const [{ write }] of messages) {
  if (write !== undefined) await db.execute('update items set name = ?', [write]);
  const [{ name }] = await db.query('select name from items', [], { cache: true });
  process.send({ name, ...mgr.get('test').stats().cache });
}
await mgr.close();
