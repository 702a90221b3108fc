import { EventEmitter } from 'node:events';
import { FakeClock } from '@dbmanager/testkit';
import { expect, it } from '@jest/globals';
import { type KoaContext, koaDeadline } from './koa.js';

it('Koa has its middlewares come to an end at the deadline, although the handler does not', async () => {
  const clock = new FakeClock();
  const res = Object.assign(new EventEmitter(), { getHeaders: () => ({}), destroyed: true });
  const ctx = { req: {}, res } as unknown as KoaContext;
  const ended = koaDeadline({ timeout: '5s', clock })(ctx, () => new Promise(() => {}));
  const late = expect(ended).rejects.toMatchObject({ code: 'DBM_REQUEST_TIMEOUT', status: 503 });
  await clock.advance(5_000);
  await late;
});
