import { existsSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { describeWithOwnRedis, describeWithRedis, sharedRedis } from './describe-with-redis.js';
import { RedisEndpoint } from './redis-endpoint.js';
import { RedisServer } from './redis-server.js';

describeWithRedis('a Redis for tests', (redis) => {
  it('is one server for the whole run, and tells its version', async () => {
    expect((await sharedRedis()).url()).toBe(redis().url());
    expect(await redis().version()).toMatch(/^\d+\.\d+/);
  });
});

describeWithOwnRedis('a Redis of a test of its own', () => {
  it('keeps its port over a crash, and leaves nothing behind when closed', async () => {
    const server = await RedisServer.start();
    const admin = new RedisEndpoint(server.url());
    await server.stop('immediate');
    await expect(admin.version()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    expect(await admin.version()).toMatch(/^\d/);
    await server.close();
    expect(server.running).toBe(false);
    expect(existsSync(server.folder)).toBe(false);
  });
});
