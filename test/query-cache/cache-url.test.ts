import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConnectionManager } from 'dbmanager';

describe('A cache_url that is none', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbmanager-cache-url-'));
  });

  afterAll(() => rm(folder, { recursive: true }));

  const load = async (lines: readonly string[]) => {
    const file = join(folder, 'dbmanager.yaml');
    await writeFile(file, lines.join('\n'));
    return ConnectionManager.load(file, { env: {} });
  };
  const CONNECTION = ['dbmanager:', '  connections:', '    main:', '      type: sqlite', '      filepath: a.db'];

  it.each(['nonsense', 'http://x', '""'])('is refused where the file has it: %s', async (url) => {
    await expect(load([...CONNECTION, `      cache_url: ${url}`])).rejects.toMatchObject({
      code: 'DBM_CONFIG_INVALID',
      problems: [{ path: ['connections', 'main', 'cache_url'], rule: 'malformed', place: { line: 6, column: 18 } }],
    });
  });

  it('is refused once for all connections, where it is set for all', async () => {
    const second = ['    other:', '      type: sqlite', '      filepath: b.db'];
    await expect(load([...CONNECTION, ...second, '  cache_url: nonsense'])).rejects.toMatchObject({
      problems: [{ path: ['cache_url'], place: { line: 9, column: 14 } }],
    });
  });

  it('is refused in code, and never shown', async () => {
    const connections = { main: { type: 'sqlite', filepath: ':memory:', cache_url: 'http://user:hush@x' } };
    expect(() => ConnectionManager.from({ connections })).toThrow(
      expect.objectContaining({
        problems: [expect.objectContaining({ path: ['connections', 'main', 'cache_url'] })],
        message: expect.not.stringContaining('hush'),
      }),
    );
  });
});
