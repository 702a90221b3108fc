// Migrations: a folder made for golang-migrate with one in code beside its files, which is interrupted half-way and then goes through.
import { fileURLToPath } from 'node:url';
import { ConnectionManager, isDbManagerError, type MigrationProgress } from 'dbmanager';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const migrations = mgr.migrations();
  for (const { version, description, statements = 'code' } of await migrations.plan()) {
    console.log(`to do: ${version} ${description}, ${statements}`);
  }

  const stop = new AbortController();
  const onProgress = ({ description, done, total }: MigrationProgress) => {
    if (total !== 10_000 || done % 5_000 !== 0) return;
    console.log(`${description}: ${done} of ${total}`);
    stop.abort();
  };
  await migrations.up({ signal: stop.signal, onProgress }).catch((error: unknown) => {
    if (!isDbManagerError(error, 'DBM_ABORTED')) throw error;
    console.log('interrupted');
  });
  const { version, dirty } = await migrations.status();
  const totals = () => mgr.getDefaultDatabase().queryOne('select count(total) as filled from orders');
  console.log(`at version ${version}${dirty ? ', dirty' : ''}:`, JSON.stringify(await totals()));

  await migrations.up({ onProgress });
  console.log(`at version ${(await migrations.status()).version}:`, JSON.stringify(await totals()));
  const takenBack = await migrations.down({ steps: 2 });
  console.log('taken back:', takenBack.map(({ description }) => description).join(', '));
  console.log('edited, missing or late:', (await migrations.verify()).length);
} finally {
  await mgr.close();
}
