// In code: for rows that are too many for one statement.
const ROWS = 10_000;
const BATCH = 1_000;

/** @param {import('dbmanager').MigrationStep} step */
export async function up({ db, progress }) {
  for (let done = BATCH; done <= ROWS; done += BATCH) {
    await db.execute('update orders set total = price * amount where id > ? and id <= ?', [done - BATCH, done]);
    await progress(done, ROWS);
  }
}

/** @param {import('dbmanager').MigrationStep} step */
export async function down({ db }) {
  await db.execute('update orders set total = null');
}
