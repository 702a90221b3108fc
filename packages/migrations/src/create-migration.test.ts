import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createMigration } from './create-migration.js';

const NOON = new Date('2026-01-31T12:00:00.900Z');

describe('seeds 1: createMigration', () => {
  let folder: string;

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'dbmanager-create-')), 'migrations');
  });

  afterEach(async () => {
    await rm(join(folder, '..'), { recursive: true });
  });

  it('writes both files, and the folder', async () => {
    const { version, up, down } = await createMigration(folder, ' Add e-mail & phone ', NOON);
    expect(version).toBe(20260131120000n);
    expect(basename(up)).toBe('20260131120000_add_e_mail_phone.up.sql');
    expect(basename(down)).toBe('20260131120000_add_e_mail_phone.down.sql');
    expect((await readdir(folder)).sort()).toEqual([basename(down), basename(up)]);
  });

  it('two in one second: distinct', async () => {
    const created = await Promise.all(Array.from({ length: 10 }, () => createMigration(folder, 'same', NOON)));
    expect(new Set(created.map(({ version }) => version)).size).toBe(10);
    expect(await readdir(folder)).toHaveLength(20);
  });

  it('never overwrites, whatever the other one is called', async () => {
    const { up } = await createMigration(folder, 'first', NOON);
    await writeFile(up, 'create table a (id integer)');
    const { version } = await createMigration(folder, 'other', NOON);
    expect(version).toBe(20260131120001n);
    await expect(readFile(up, 'utf8')).resolves.toBe('create table a (id integer)');
  });

  it.each(['', '  ', '../', '?!', 'x'.repeat(201), 'ä'.repeat(101), 5])('refuses the title %j', async (title) => {
    await expect(createMigration(folder, title as string, NOON)).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION' });
  });

  it('takes the longest title that leaves room for the rest of the name', async () => {
    await createMigration(folder, 'x'.repeat(200), NOON);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it('keeps a title in its folder', async () => {
    const { up } = await createMigration(folder, '../../etc/passwd', NOON);
    expect(up).toBe(join(folder, '20260131120000_etc_passwd.up.sql'));
  });
});
