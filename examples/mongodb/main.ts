// MongoDB: the driver's own client on one pool that is counted, watched and healed as every other.
import { fileURLToPath } from 'node:url';
import { ConnectionManager, isDbManagerError, mongodbTransaction } from 'dbmanager';

interface Article {
  readonly title: string;
  readonly tags: readonly string[];
}

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const documents = mgr.get('documents');
  const articles = documents.mongodb().db().collection<Article>('articles');
  await articles.deleteMany({});
  await articles.insertMany([
    { title: 'Pools', tags: ['databases'] },
    { title: 'Queues', tags: ['databases', 'messages'] },
    { title: 'Letters', tags: ['messages'] },
  ]);
  const found = await articles.find({ tags: 'databases' }).sort({ title: 1 }).toArray();
  console.log('on databases:', found.map(({ title }) => title).join(', '));

  // In a transaction where the server has them: a replica set, or routers.
  try {
    await mongodbTransaction(documents, async (session) => {
      await articles.updateMany({}, { $addToSet: { tags: 'read' } }, { session });
      await articles.deleteOne({ title: 'Letters' }, { session });
    });
    console.log('in one transaction: two changes');
  } catch (error) {
    if (!isDbManagerError(error, 'DBM_UNSUPPORTED')) throw error;
    console.log('in one transaction: refused,', error.detail);
  }

  try {
    documents.database();
  } catch (error) {
    if (!isDbManagerError(error, 'DBM_NOT_SQL')) throw error;
    console.log('as SQL: refused,', error.detail);
  }

  const { inUse, max } = documents.stats().pool;
  console.log(`connections in use now: ${inUse} of ${max}`);
} finally {
  await mgr.close();
}
