import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isInRange, loadPeer } from './load-peer.js';

const folder = mkdtempSync(join(tmpdir(), 'dbmanager-peers-'));
const needed = { by: 'the bridge', connectionName: 'primary' };

function write(path: string, content: unknown): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}

/** What a bridge in that folder gets when it asks for the package. */
const load = (asker: string, name: string) =>
  loadPeer(name, pathToFileURL(join(folder, asker, 'src/bridge.js')).href, needed);

beforeAll(() => {
  write('bridge/package.json', { name: 'bridge', peerDependencies: { orm: '>=1.2 <3', '@orm/core': '>=1' } });
  write('loose/package.json', { name: 'loose' });
  for (const [asker, version] of Object.entries({ bridge: '3.0.1', loose: '3.0.1' })) {
    write(`${asker}/node_modules/orm/package.json`, { name: 'orm', version });
    write(`${asker}/node_modules/orm/index.js`, 'module.exports = "orm"');
  }
  write('bridge/node_modules/@orm/core/package.json', { name: '@orm/core', version: '1.5.0-beta.2' });
  // As ES modules in a package of CommonJS are marked: it is not the package's own manifest.
  write('bridge/node_modules/@orm/core/cjs/package.json', { type: 'commonjs' });
  write('bridge/node_modules/@orm/core/cjs/part.js', 'module.exports = "part"');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('loadPeer', () => {
  it('refuses a version out of the range that the asking package is tested with, each time', () => {
    for (const _ of [1, 2]) {
      expect(() => load('bridge', 'orm')).toThrow(
        expect.objectContaining({
          code: 'DBM_PACKAGE_VERSION',
          connectionName: 'primary',
          message: expect.stringMatching(/the bridge is tested with orm >=1\.2 <3, and 3\.0\.1 is installed/),
        }),
      );
    }
  });

  it('takes a version of the range, also of a part of a package with a scope, and any where there is no range', () => {
    expect(load('bridge', '@orm/core/cjs/part.js')).toBe('part');
    expect(load('loose', 'orm')).toBe('orm');
  });

  it('names the package to install when there is none', () => {
    expect(() => load('bridge', '@orm/other/part')).toThrow(
      expect.objectContaining({
        code: 'DBM_PACKAGE_NOT_INSTALLED',
        message: expect.stringMatching(/npm install @orm\/other$/),
      }),
    );
  });
});

describe('a range', () => {
  it.each([
    ['1.2.0', '>=1.2', true],
    ['1.1.9', '>=1.2', false],
    ['1.10.0', '>=1.2 <1.11', true],
    ['2.0.0', '>=1.2 <2', false],
    ['2.0.0-beta.1', '>=1.2 <2', false],
    ['1.9.9', '>=1.2 <2', true],
  ])('%s in %s: %s', (version, range, expected) => {
    expect(isInRange(version, range)).toBe(expected);
  });

  it('that is written in another way is not checked', () => {
    expect(isInRange('9.0.0', '^1.2 || ^2')).toBeUndefined();
  });

  it('of every bridge and provider can be read', () => {
    const packages = new URL('../../', import.meta.url);
    const ranges = readdirSync(packages)
      .filter((name) => /^(bridge|provider)-/.test(name))
      .map((name) => JSON.parse(readFileSync(new URL(`${name}/package.json`, packages), 'utf8')))
      .flatMap(({ peerDependencies = {} }) => Object.values<string>(peerDependencies));
    expect(ranges.length).toBeGreaterThan(0);
    for (const range of ranges) expect(isInRange('99999.0.0', range)).toBe(!range.includes('<'));
  });
});
