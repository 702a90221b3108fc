/** @jest-environment ./test/support/new-york-environment.js */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rejection } from '../../../test/support/sql-engines.js';
import { STORE_ENGINES, StoreBench } from '../../../test/support/store-engines.js';
import type { SessionInput } from './session-store.js';
import type { Stores } from './stores.js';
import type { TenantInput } from './tenant-store.js';

const MINUTE = 60_000;
/** What a column has to give back as it was: quotes, another script, an emoji, what would be an escape. */
const AWKWARD = `O'Hara "quoted" \\n Füße 漢字 🚀 ?`;

for (const engine of STORE_ENGINES) {
  engine.describe('Stores', () => {
    let bench: StoreBench;
    let stores: Stores;

    const later = (ms: number) => new Date(bench.clock.now + ms);

    beforeAll(async () => {
      bench = await StoreBench.open(engine);
      stores = bench.stores({ maxSessionBytes: 1_000 });
      await stores.createTables();
    }, 60_000);

    function emptyFirst(...tables: readonly string[]): void {
      beforeEach(async () => {
        for (const table of tables) await bench.database.execute(`delete from ${table}`);
      });
    }

    afterAll(async () => {
      await bench?.close();
    });

    it('runs where the clocks are those of New York', () => {
      expect(new Date(2026, 6, 1).getTimezoneOffset()).toBe(240);
    });

    describe('seeds 0: Sessions: a session', () => {
      emptyFirst('sessions');

      const session = (id: string, more: Partial<SessionInput> = {}): SessionInput => ({
        id,
        data: {},
        expiresAt: later(MINUTE),
        ...more,
      });

      it('comes back as it was saved, to the millisecond and in UTC', async () => {
        // An hour that New York has twice.
        const expiresAt = new Date(Date.UTC(2026, 10, 1, 6, 30, 0, 123));
        const data = { text: AWKWARD, nothing: '\u0000', list: [1, 2.5, null], deep: { yes: true } };
        const saved = { id: 's1', userId: 'u1', tenantId: 't1', data, expiresAt, ipAddress: '::1', userAgent: AWKWARD };
        await stores.sessions.save(saved);
        const at = new Date(bench.clock.now);
        await expect(stores.sessions.load('s1')).resolves.toEqual({ ...saved, createdAt: at, updatedAt: at });
      });

      it('has undefined for what it was saved without', async () => {
        await stores.sessions.save(session('s1'));
        const loaded = await stores.sessions.load('s1');
        expect(loaded).toMatchObject({ userId: undefined, tenantId: undefined, data: {}, ipAddress: undefined });
      });

      it('saved again keeps the moment of its creation', async () => {
        await stores.sessions.save(session('s1', { userId: 'u1' }));
        const createdAt = new Date(bench.clock.now);
        bench.clock.now += 1_000;
        await stores.sessions.save(session('s1', { data: { seen: 2 } }));
        const updatedAt = new Date(bench.clock.now);
        const expected = { createdAt, updatedAt, data: { seen: 2 }, userId: undefined };
        await expect(stores.sessions.load('s1')).resolves.toMatchObject(expected);
        await expect(stores.sessions.count()).resolves.toBe(1);
      });

      it('is not found once its time is over, nor when there is none', async () => {
        await stores.sessions.save(session('s1'));
        bench.clock.now += MINUTE - 1;
        await expect(stores.sessions.load('s1')).resolves.toBeDefined();
        bench.clock.now += 1;
        await expect(stores.sessions.load('s1')).resolves.toBeUndefined();
        await expect(stores.sessions.touch('s1', later(MINUTE))).resolves.toBe(false);
        await expect(stores.sessions.all()).resolves.toEqual([]);
        await expect(stores.sessions.load('missing')).resolves.toBeUndefined();
        await expect(stores.sessions.load(`${'x'.repeat(300)}`)).resolves.toBeUndefined();
      });

      it('is told from others by every character of its id', async () => {
        await stores.sessions.save(session('ab', { data: { n: 1 } }));
        await expect(stores.sessions.load('ab ')).resolves.toBeUndefined();
        await expect(stores.sessions.load('a_')).resolves.toBeUndefined();
        await expect(stores.sessions.load('äb')).resolves.toBeUndefined();
        await expect(stores.sessions.load('AB')).resolves.toBeUndefined();
      });

      it('can be given more time without its data being touched', async () => {
        await stores.sessions.save(session('s1', { data: { kept: true } }));
        await expect(stores.sessions.touch('s1', later(2 * MINUTE))).resolves.toBe(true);
        bench.clock.now += MINUTE;
        await expect(stores.sessions.load('s1')).resolves.toMatchObject({ data: { kept: true } });
      });

      it('can be deleted twice', async () => {
        await stores.sessions.save(session('s1'));
        await expect(stores.sessions.delete('s1')).resolves.toBe(true);
        await expect(stores.sessions.delete('s1')).resolves.toBe(false);
        await expect(stores.sessions.load('s1')).resolves.toBeUndefined();
      });

      it('whose time is over goes with the clean-up, which counts', async () => {
        for (const id of ['a', 'b', 'c']) await stores.sessions.save(session(id));
        await stores.sessions.save(session('later', { expiresAt: later(2 * MINUTE) }));
        await expect(stores.sessions.cleanUp()).resolves.toBe(0);
        bench.clock.now += MINUTE;
        await expect(stores.sessions.cleanUp()).resolves.toBe(3);
        await expect(stores.sessions.cleanUp()).resolves.toBe(0);
        const left = await stores.sessions.all();
        expect(left.map(({ id }) => id)).toEqual(['later']);
        await expect(stores.sessions.clear()).resolves.toBe(1);
      });

      it('that is too large is refused before anything is sent', async () => {
        const error = await rejection(stores.sessions.save(session('s1', { data: { text: 'x'.repeat(1_000) } })));
        expect(error).toMatchObject({ code: 'DBM_TOO_LARGE', option: 'maxSessionBytes', connectionName: 'test' });
        await expect(stores.sessions.count()).resolves.toBe(0);
        const widest = { text: `${'€'.repeat(329)}ab` };
        expect(Buffer.byteLength(JSON.stringify(widest))).toBe(1_000);
        await stores.sessions.save(session('s1', { data: widest }));
        await expect(stores.sessions.load('s1')).resolves.toMatchObject({ data: widest });
      });

      it.each([
        ['id', { id: '' }],
        ['id', { id: 'x'.repeat(256) }],
        ['id', { id: 'a\u0000' }],
        ['id', { id: 'a ' }],
        ['id', { id: '\ud800' }],
        ['expiresAt', { expiresAt: new Date(Number.NaN) }],
        ['data', { data: [] as never }],
        ['data', { data: { big: 1n } }],
        ['data', { data: { toJSON: () => undefined } }],
        ['userId', { userId: 7 as never }],
        ['userAgent', { userAgent: 'a\u0000b' }],
      ])('with a bad %s is refused (%#)', async (option, bad) => {
        const error = await rejection(stores.sessions.save({ ...session('s1'), ...bad }));
        expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option });
        await expect(stores.sessions.count()).resolves.toBe(0);
      });

      it('saved by twenty callers at once is there once', async () => {
        const saves = Array.from({ length: 20 }, (_, n) => stores.sessions.save(session('s1', { data: { n } })));
        await Promise.all(saves);
        await expect(stores.sessions.count()).resolves.toBe(1);
      });

      it('is not saved when the caller gives up', async () => {
        const error = await rejection(stores.sessions.save(session('s1'), { signal: AbortSignal.abort() }));
        expect(error).toMatchObject({ code: 'DBM_ABORTED' });
        await expect(stores.sessions.count()).resolves.toBe(0);
      });

      it('saved in a transaction goes with it', async () => {
        const undone = bench.database.transaction(async (tx) => {
          await stores.on(tx).sessions.save(session('s1'));
          await expect(stores.on(tx).sessions.load('s1')).resolves.toBeDefined();
          throw new Error('no');
        });
        await expect(undone).rejects.toThrow('no');
        await expect(stores.sessions.load('s1')).resolves.toBeUndefined();
        await bench.database.transaction((tx) => stores.on(tx).sessions.save(session('s1')));
        await expect(stores.sessions.load('s1')).resolves.toBeDefined();
      });
    });

    describe('seeds 0: Access tokens: a token', () => {
      emptyFirst('access_tokens');

      const TOKEN = 'abcdefghijklmnop.QRSTUV-_~+/==';

      it('comes back by its text, which the database does not have', async () => {
        const expiresAt = later(MINUTE);
        const grant = { userId: 'u1', tenantId: 't1', scopes: ['read', 'users:write'], expiresAt };
        await stores.accessTokens.save({ token: TOKEN, ...grant });
        const createdAt = new Date(bench.clock.now);
        await expect(stores.accessTokens.load(TOKEN)).resolves.toEqual({ token: TOKEN, ...grant, createdAt });
        const rows = await bench.database.query('select * from access_tokens');
        expect(JSON.stringify(rows)).not.toContain('abcdefgh');
        expect(rows).toMatchObject([{ token_digest: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
      });

      it('whose time is over can be loaded, but is not valid', async () => {
        await stores.accessTokens.save({ token: TOKEN, expiresAt: later(MINUTE) });
        await expect(stores.accessTokens.validate(TOKEN)).resolves.toMatchObject({ scopes: [] });
        bench.clock.now += MINUTE;
        await expect(stores.accessTokens.load(TOKEN)).resolves.toBeDefined();
        const error = await rejection(stores.accessTokens.validate(TOKEN));
        expect(error).toMatchObject({ code: 'DBM_TOKEN_EXPIRED' });
        await expect(stores.accessTokens.cleanUp()).resolves.toBe(1);
        await expect(stores.accessTokens.load(TOKEN)).resolves.toBeUndefined();
      });

      it('that nobody knows is invalid', async () => {
        await expect(stores.accessTokens.load(TOKEN)).resolves.toBeUndefined();
        await expect(rejection(stores.accessTokens.validate(TOKEN))).resolves.toMatchObject({
          code: 'DBM_TOKEN_INVALID',
        });
      });

      it.each(['', 'short', `Bearer ${TOKEN}`, `${TOKEN}\n`, 'x'.repeat(4_097), 'ünïcödeünïcödeünïcöde', undefined])(
        'that is malformed is refused wherever it is given, without being told (%#)',
        async (malformed) => {
          const token = malformed as string;
          const errors = await Promise.all([
            rejection(stores.accessTokens.save({ token, expiresAt: later(MINUTE) })),
            rejection(stores.accessTokens.load(token)),
            rejection(stores.accessTokens.validate(token)),
            rejection(stores.accessTokens.delete(token)),
          ]);
          for (const error of errors) {
            expect(error).toMatchObject({ code: 'DBM_TOKEN_INVALID' });
            if (token) expect(error.message).not.toContain(token);
          }
        },
      );

      it('must have every scope that is asked for', async () => {
        await stores.accessTokens.save({ token: TOKEN, scopes: ['read', 'write'], expiresAt: later(MINUTE) });
        await expect(stores.accessTokens.validate(TOKEN, { scopes: ['write', 'read'] })).resolves.toBeDefined();
        const error = await rejection(stores.accessTokens.validate(TOKEN, { scopes: ['read', 'admin'] }));
        expect(error).toMatchObject({ code: 'DBM_TOKEN_SCOPE', message: expect.stringContaining('admin') });
        const bad = stores.accessTokens.save({ token: TOKEN, scopes: ['a b'], expiresAt: later(MINUTE) });
        await expect(rejection(bad)).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'scopes' });
      });

      it('can be issued, is another each time, and is valid until it is deleted', async () => {
        const one = await stores.accessTokens.issue({ userId: 'u1', expiresAt: later(MINUTE) });
        const other = await stores.accessTokens.issue({ userId: 'u1', expiresAt: later(MINUTE) });
        expect(one.token).toMatch(/^[\w-]{43}$/);
        expect(other.token).not.toBe(one.token);
        await expect(stores.accessTokens.validate(one.token)).resolves.toEqual(one);
        await expect(stores.accessTokens.delete(one.token)).resolves.toBe(true);
        await expect(stores.accessTokens.delete(one.token)).resolves.toBe(false);
        await expect(stores.accessTokens.load(one.token)).resolves.toBeUndefined();
        await expect(stores.accessTokens.validate(other.token)).resolves.toEqual(other);
      });

      it('saved again keeps the moment of its creation', async () => {
        await stores.accessTokens.save({ token: TOKEN, expiresAt: later(MINUTE) });
        const createdAt = new Date(bench.clock.now);
        bench.clock.now += 1_000;
        await stores.accessTokens.save({ token: TOKEN, scopes: ['read'], expiresAt: later(MINUTE) });
        await expect(stores.accessTokens.load(TOKEN)).resolves.toMatchObject({ createdAt, scopes: ['read'] });
      });
    });

    describe('seeds 0: Tenants: a tenant', () => {
      emptyFirst('tenant_hosts', 'tenants');

      const tenant = (id: string, hosts: readonly string[], more: Partial<TenantInput> = {}): TenantInput => ({
        id,
        name: `Tenant ${id}`,
        hosts,
        ...more,
      });

      it('comes back by its id, with its hosts in order', async () => {
        const limits = { maxUsers: 100, maxStorage: Number.MAX_SAFE_INTEGER, maxRequests: 1_000_000 };
        const saved = { id: 't1', name: AWKWARD, hosts: ['z.com', 'a.com'], config: { theme: AWKWARD }, ...limits };
        await stores.tenants.save(saved);
        const at = new Date(bench.clock.now);
        const expected = { ...saved, isActive: true, createdAt: at, updatedAt: at };
        await expect(stores.tenants.load('t1')).resolves.toEqual(expected);
        await expect(stores.tenants.loadByHost('a.com')).resolves.toEqual(expected);
      });

      it('without hosts has none', async () => {
        await stores.tenants.save({ id: 't1', name: 'One' });
        await expect(stores.tenants.load('t1')).resolves.toMatchObject({ hosts: [], config: {}, maxUsers: 0 });
      });

      it('is found by the whole of a host, in any case and with any port', async () => {
        await stores.tenants.save(tenant('t1', ['A.com', 'bücher.de', '[::1]']));
        for (const host of ['a.com', 'A.COM:8080', 'a.com.', 'xn--bcher-kva.de', 'BÜCHER.de:443', '[::1]:3000']) {
          await expect(stores.tenants.loadByHost(host)).resolves.toMatchObject({ id: 't1' });
        }
        for (const host of ['xa.com', 'a.co', 'a.comx', 'com', '.com', '%', '_.com', 'a_com', '', "' or 1=1 --"]) {
          await expect(stores.tenants.loadByHost(host)).resolves.toBeUndefined();
        }
      });

      it('that is not active is found by its id alone', async () => {
        await stores.tenants.save(tenant('t1', ['a.com'], { isActive: false }));
        await expect(stores.tenants.load('t1')).resolves.toMatchObject({ isActive: false });
        await expect(stores.tenants.loadByHost('a.com')).resolves.toBeUndefined();
        const error = await rejection(stores.tenants.loadByHostOrThrow('a.com'));
        expect(error).toMatchObject({ code: 'DBM_NOT_FOUND', connectionName: 'test' });
      });

      it('that there is not is not found, or an error where it must be', async () => {
        await expect(stores.tenants.load('t1')).resolves.toBeUndefined();
        await expect(rejection(stores.tenants.loadOrThrow('t1'))).resolves.toMatchObject({ code: 'DBM_NOT_FOUND' });
      });

      it('cannot claim the host of another, and is then left as it was', async () => {
        await stores.tenants.save(tenant('t1', ['a.com']));
        await stores.tenants.save(tenant('t2', ['b.com']));
        const error = await rejection(stores.tenants.save(tenant('t2', ['c.com', 'A.com'], { name: 'other' })));
        expect(error).toMatchObject({ code: 'DBM_UNIQUE_VIOLATION', option: 'hosts' });
        await expect(stores.tenants.load('t2')).resolves.toMatchObject({ name: 'Tenant t2', hosts: ['b.com'] });
        await expect(stores.tenants.loadByHost('c.com')).resolves.toBeUndefined();
        await expect(stores.tenants.loadByHost('a.com')).resolves.toMatchObject({ id: 't1' });
      });

      it('saved again gives up the hosts that it no longer has, and keeps the moment of its creation', async () => {
        await stores.tenants.save(tenant('t1', ['a.com', 'b.com']));
        const createdAt = new Date(bench.clock.now);
        bench.clock.now += 1_000;
        await stores.tenants.save(tenant('t1', ['b.com', 'c.com', 'C.com']));
        const expected = { hosts: ['b.com', 'c.com'], createdAt, updatedAt: new Date(bench.clock.now) };
        await expect(stores.tenants.load('t1')).resolves.toMatchObject(expected);
        await stores.tenants.save(tenant('t2', ['a.com']));
        await expect(stores.tenants.loadByHost('a.com')).resolves.toMatchObject({ id: 't2' });
      });

      it('keeps its hosts when it is saved with the same, and takes over their new order', async () => {
        await stores.tenants.save(tenant('t1', ['a.com', 'b.com']));
        await stores.tenants.save(tenant('t1', ['a.com', 'b.com'], { name: 'other' }));
        await expect(stores.tenants.load('t1')).resolves.toMatchObject({ name: 'other', hosts: ['a.com', 'b.com'] });
        await stores.tenants.save(tenant('t1', ['b.com', 'a.com']));
        await expect(stores.tenants.load('t1')).resolves.toMatchObject({ hosts: ['b.com', 'a.com'] });
        await stores.tenants.save(tenant('t1', []));
        await expect(stores.tenants.load('t1')).resolves.toMatchObject({ hosts: [] });
      });

      if (engine.name === 'mariadb') {
        it('has the hosts that it was saved with, also in a transaction which does not see what others have saved since', async () => {
          await stores.tenants.save(tenant('t1', ['a.com']));
          bench.clock.now += 1_000;
          await bench.database.transaction({ isolation: 'repeatable read' }, async (tx) => {
            const { tenants } = stores.on(tx);
            await tenants.load('t1');
            await stores.tenants.save(tenant('t1', ['b.com', 'c.com']));
            await tenants.save(tenant('t1', ['a.com']));
          });
          await expect(stores.tenants.load('t1')).resolves.toMatchObject({ hosts: ['a.com'] });
        });
      }

      it('is saved beside many others that are new at the same time', async () => {
        const ids = Array.from({ length: 30 }, (_, n) => `t${n}`);
        await Promise.all(ids.map((id) => stores.tenants.save(tenant(id, [`${id}.com`, `www.${id}.com`]))));
        await expect(stores.tenants.loadByHost('www.t29.com')).resolves.toMatchObject({ id: 't29' });
        await expect(bench.database.query('select host from tenant_hosts')).resolves.toHaveLength(60);
      });

      it('gets a host alone when many claim it at once', async () => {
        const ids = Array.from({ length: 8 }, (_, n) => `t${n}`);
        const claims = await Promise.allSettled(
          ids.map((id) => stores.tenants.save(tenant(id, ['a.com', `${id}.com`]))),
        );
        const won = claims.filter(({ status }) => status === 'fulfilled');
        expect(won).toHaveLength(1);
        for (const claim of claims) {
          if (claim.status === 'rejected') expect(claim.reason).toMatchObject({ code: 'DBM_UNIQUE_VIOLATION' });
        }
        const rows = await bench.database.query('select id from tenants');
        expect(rows).toHaveLength(1);
      });

      it('can be deleted twice, and its hosts are free then', async () => {
        await stores.tenants.save(tenant('t1', ['a.com']));
        await expect(stores.tenants.delete('t1')).resolves.toBe(true);
        await expect(stores.tenants.delete('t1')).resolves.toBe(false);
        await stores.tenants.save(tenant('t2', ['a.com']));
        await expect(stores.tenants.loadByHost('a.com')).resolves.toMatchObject({ id: 't2' });
      });

      it('refused inside a transaction leaves that as it was', async () => {
        await stores.tenants.save(tenant('t1', ['a.com']));
        await bench.database.transaction(async (tx) => {
          const { tenants } = stores.on(tx);
          await tenants.save(tenant('t2', ['b.com']));
          const refused = await rejection(tenants.save(tenant('t3', ['a.com'])));
          expect(refused).toMatchObject({ code: 'DBM_UNIQUE_VIOLATION' });
        });
        await expect(stores.tenants.load('t2')).resolves.toBeDefined();
        await expect(stores.tenants.load('t3')).resolves.toBeUndefined();
      });

      it.each([
        ['hosts', { hosts: ['a.com/path'] }],
        ['hosts', { hosts: ['user@a.com'] }],
        ['name', { name: undefined as never }],
        ['maxUsers', { maxUsers: -1 }],
        ['maxStorage', { maxStorage: 2 ** 53 }],
        ['isActive', { isActive: 'no' as never }],
      ])('with a bad %s is refused (%#)', async (option, bad) => {
        const error = await rejection(stores.tenants.save({ ...tenant('t1', []), ...bad }));
        expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option });
        await expect(stores.tenants.load('t1')).resolves.toBeUndefined();
      });
    });

    describe('seeds 0: Workload metrics: what requests took', () => {
      emptyFirst('workload_metrics');

      const from = Date.UTC(2026, 10, 1, 5);
      const at = (ms: number, tenantId = 't1') => ({ tenantId, timestamp: new Date(from + ms) });

      it('comes back as it was saved', async () => {
        const saved = {
          timestamp: new Date(from),
          tenantId: 't1',
          userId: 'u1',
          requestId: 'r1',
          duration: 12,
          contextSize: 1,
          memoryUsage: 2 ** 40,
          cpuUsage: 12.5,
          path: `/search?q=${AWKWARD}`,
          method: 'GET',
          statusCode: 200,
          responseSize: 4_096,
          errorMessage: AWKWARD,
        };
        await stores.workloadMetrics.save(saved);
        const found = await stores.workloadMetrics.list('t1', new Date(from), new Date(from));
        expect(found).toEqual([{ ...saved, id: expect.any(Number) }]);
      });

      it('of a tenant is found by time, boundaries included, newest first', async () => {
        const moments = [-1, 0, 1, 500, 999, 1_000, 1_001];
        await stores.workloadMetrics.saveMany([...moments.map((ms) => at(ms)), at(500, 't2')]);
        const found = await stores.workloadMetrics.list('t1', new Date(from), new Date(from + 1_000));
        expect(found.map(({ timestamp }) => timestamp.getTime() - from)).toEqual([1_000, 999, 500, 1, 0]);
        await expect(stores.workloadMetrics.list('t3', new Date(from), new Date(from + 1_000))).resolves.toEqual([]);
      });

      it('is saved whole however many there are, or not at all', async () => {
        const many = Array.from({ length: 1_000 }, (_, ms) => at(ms));
        await stores.workloadMetrics.saveMany(many);
        await stores.workloadMetrics.saveMany([]);
        const range = [new Date(from), new Date(from + 1_000)] as const;
        await expect(stores.workloadMetrics.list('t1', ...range)).resolves.toHaveLength(1_000);
        const bad = [...many, { ...at(0), cpuUsage: Number.NaN }];
        const refused = await rejection(stores.workloadMetrics.saveMany(bad));
        expect(refused).toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'cpuUsage' });
        await expect(stores.workloadMetrics.list('t1', ...range)).resolves.toHaveLength(1_000);
        // More than one statement of a clean-up.
        await expect(stores.workloadMetrics.cleanUp({ until: new Date(from + 899) })).resolves.toBe(900);
        await expect(stores.workloadMetrics.list('t1', ...range)).resolves.toHaveLength(100);
      });
    });
  });
}
