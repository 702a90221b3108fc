// Statements in files: one folder for what every engine takes, one for each engine that differs, and names that the compiler knows.
// The types in sql/queries.d.ts are written by: dbmanager sql types --config examples/sql-files/dbmanager.yaml
import { fileURLToPath } from 'node:url';
import { ConnectionManager, isDbManagerError } from 'dbmanager';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('../dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const library = mgr.get('library');
  const db = library.database();
  await db.execute(library.sql('books/create-table'));

  const books = [
    ['Ursula K. Le Guin', 'The Dispossessed'],
    ['Ursula K. Le Guin', 'The Left Hand of Darkness'],
    ['Stanisław Lem', 'Solaris'],
  ] as const;
  await db.transaction(async (tx) => {
    for (const [id, [author, title]] of books.entries()) {
      await tx.execute(library.sql('books/add', { id, author, title }));
    }
  });

  const hers = await db.query<{ title: string }>(library.sql('books/by-author', { author: 'Ursula K. Le Guin' }));
  console.log('by Le Guin:', hers.map(({ title }) => title).join(', '));
  const found = await db.queryOne<{ title: string }>(library.sql('books/search', { pattern: 'sol%' }));
  const { file } = library.sqlFiles().get('books/search');
  console.log(`found by ${file.slice(file.indexOf('sqlite'))}:`, found?.title);

  try {
    // @ts-expect-error the compiler knows that there is none
    library.sql('books/by-autor', { author: 'Stanisław Lem' });
  } catch (error) {
    if (!isDbManagerError(error, 'DBM_UNKNOWN_QUERY')) throw error;
    console.log('no such query:', error.message.slice(error.message.lastIndexOf(';') + 2));
  }
} finally {
  await mgr.close();
}
