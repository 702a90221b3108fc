import { type Clock, Secret, systemClock } from '@dbmanager/core';
import { describeWithRedis } from '@dbmanager/testkit';
import * as jest from '@jest/globals';
import { expect, it } from '@jest/globals';
import { EVERYTHING } from './cache-store.js';
import { RedisStore } from './redis-store.js';

describeWithRedis(
  'A store in Redis',
  (redis) => {
    const open = (clock: Clock = systemClock) =>
      new RedisStore({
        url: new Secret(redis().url()),
        prefix: 'redis-store.test',
        connectionName: 'test',
        clock,
        timeoutMs: 30_000,
        maxBytes: 1_000_000,
      });
    const stampOf = async (store: RedisStore, name: string) => (await store.look({ key: '', names: [name] })).stamp;

    it('tells of a change that is made as the telling of another ends', async () => {
      let onAnswer = () => {};
      // A limit is lifted the moment an answer has come.
      const clock: Clock = {
        now: () => systemClock.now(),
        setTimer(delayMs, callback, options) {
          const timer = systemClock.setTimer(delayMs, callback, options);
          return {
            cancel() {
              timer.cancel();
              onAnswer();
            },
          };
        },
      };
      const [one, other] = [open(clock), open()];
      try {
        for (let hops = 0; hops < 12; hops++) {
          const before = await stampOf(other, 'second');
          const told = Promise.withResolvers<void>();
          onAnswer = () => {
            onAnswer = () => {};
            let left = hops;
            const hop = () => {
              if (left-- > 0) return queueMicrotask(hop);
              one.bump(['second']);
              void Promise.resolve(one.told()).then(told.resolve);
            };
            hop();
          };
          one.bump(['first']);
          await told.promise;
          expect({ hops, stamp: await stampOf(other, 'second') }).not.toEqual({ hops, stamp: before });
        }
      } finally {
        await Promise.all([one.close(), other.close()]);
      }
    });

    it('waits with a look for the telling of its own change, by which it would miss those of others', async () => {
      const [one, other] = [open(), open()];
      try {
        one.bump(['own']);
        const { stamp, keeps } = await one.look({ key: '', names: ['own'] });
        expect(keeps).toBe(true);
        expect(await stampOf(other, 'own')).toBe(stamp);
        other.bump(['own']);
        await other.told();
        expect(await stampOf(one, 'own')).not.toBe(stamp);
      } finally {
        await Promise.all([one.close(), other.close()]);
      }
    });

    it('tells of more than can be told one by one by telling that everything has changed', async () => {
      const [one, other] = [open(), open()];
      try {
        const before = await stampOf(other, EVERYTHING);
        one.bump(Array.from({ length: 1_000 }, (_, n) => `tag:${n}`));
        await one.told();
        expect(await stampOf(other, EVERYTHING)).toBe(before);
        one.bump(Array.from({ length: 1_001 }, (_, n) => `tag:${n}`));
        await one.told();
        expect(await stampOf(other, EVERYTHING)).not.toBe(before);
      } finally {
        await Promise.all([one.close(), other.close()]);
      }
    });

    it('tells of what was changed before it is closed', async () => {
      const [one, other] = [open(), open()];
      const before = await stampOf(other, 'last');
      one.bump(['last']);
      await one.close();
      expect(await stampOf(other, 'last')).not.toBe(before);
      await other.close();
    });
  },
  jest,
);
