import { describe, expect, it } from '@jest/globals';
import type { Connection } from './connection.js';
import { ConnectionManager } from './connection-manager.js';

describe('seeds 4: default_orm: getDefaultDatabase()', () => {
  it.each<[orm: string, own: (primary: Connection) => unknown]>([
    ['knex', (primary) => primary.knex()],
    ['kysely', (primary) => primary.kysely()],
    ['drizzle', (primary) => primary.drizzle('sqlite')],
    ['native', (primary) => primary.native('sqlite')],
    ['typeorm', (primary) => primary.typeorm({ entities: [] })],
    ['mikroorm', (primary) => primary.mikroorm({ entities: [], discovery: { warnWhenNoEntities: false } })],
  ])('gives the handle that default_orm: %s names', async (orm, own) => {
    const primary = { type: 'sqlite', filepath: ':memory:', default_orm: orm };
    const mgr = ConnectionManager.from({ connections: { primary } });
    await mgr.connect();
    try {
      const opened = await own(mgr.get('primary'));
      const db = mgr.getDefaultDatabase();
      expect(db.orm).toBe(orm);
      expect(await db.handle()).toBe(opened);
    } finally {
      await mgr.close();
    }
  });
});
