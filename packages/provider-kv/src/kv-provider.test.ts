import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPeer } from '@dbmanager/core';
import { runProviderSuite } from '@dbmanager/testkit';
import { afterAll, expect } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import type { KvNative } from './kv-native.js';
import { createKvProvider, kvProvider } from './kv-provider.js';

const folder = mkdtempSync(join(tmpdir(), 'dbm-kv-suite-'));
afterAll(() => rmSync(folder, { recursive: true }));

let databases = 0;
const newPath = () => join(folder, String(databases++));

runProviderSuite({
  name: 'kv',
  provider: kvProvider,
  connection: () => ({ filepath: newPath() }),
  capabilities: { sql: false, native: true },
  hooks: {
    withoutDriver: createKvProvider({
      loadDriver: (connectionName) =>
        loadPeer('classic-level-of-another-planet', import.meta.url, { by: 'type kv', connectionName }),
    }),
    unreachable: () => ({ filepath: join(folder, 'missing', 'database') }),
    async useNative(handle) {
      const native = handle as KvNative;
      await native.put('a', '1');
      expect(await native.get('a')).toBe('1');
      await native.close();
      await expect(native.get('a')).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' });
    },
    async adoptable() {
      const path = newPath();
      mkdirSync(path);
      const handle = new ClassicLevel(path);
      await handle.open();
      return {
        handle,
        async check() {
          await handle.put('a', '1');
          expect(await handle.get('a')).toBe('1');
        },
        dispose: () => handle.close(),
      };
    },
  },
});
