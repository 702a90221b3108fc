import { testManager } from '@dbmanager/testing';
import { describe, expect, it } from '@jest/globals';
import { entry } from './bank.js';
import { databaseHands } from './hands/database.js';
import { TABLES } from './hands.js';
import { participantsOn } from './participants.js';

describe('a manager in memory for tests', () => {
  const participants = participantsOn({ name: 'sqlite' }).map(
    (participant) => [participant.name, participant] as const,
  );

  it.each(participants)('serves %s, by itself and in a transaction', async (name, { open, bind }) => {
    await using manager = await testManager({ schema: TABLES.sqlite.join(';\n') });
    const connection = manager.getDefault();
    const { hands, close } = await open(connection);
    await hands.insert(entry(1, name));
    await connection.transaction((tx) => bind(tx).insert(entry(2, name)));
    expect(await databaseHands(connection.database(), 'sqlite').entries()).toEqual(await hands.entries());
    expect(await hands.entries()).toHaveLength(2);
    await close();
  });
});
