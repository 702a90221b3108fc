/** In `items`, with the keys from 1 on. */
export const ROWS = 10_000;
/** As many as SQL Server takes in one INSERT. */
const ROWS_AT_ONCE = 1_000;

/** Creates and fills the tables of the queries. `identity` is the type of a key that the database counts up. */
export async function createTables(run: (sql: string) => Promise<unknown>, identity: string): Promise<void> {
  await run('create table items (id int primary key, name varchar(40) not null)');
  await run(`create table log (id ${identity} primary key, item int not null, note varchar(40) not null)`);
  for (let first = 1; first <= ROWS; first += ROWS_AT_ONCE) {
    const rows = Array.from({ length: ROWS_AT_ONCE }, (_, index) => `(${first + index}, 'item ${first + index}')`);
    await run(`insert into items (id, name) values ${rows.join(', ')}`);
  }
}
