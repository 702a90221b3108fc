import { expressDeadline, expressTenant, expressTransaction, TenantsByHost } from '@dbmanager/middleware';
import {
  type ConnectionManager,
  createRequestListener,
  ExpressRateLimitStore,
  expressSessionStore,
  isDbManagerError,
  type Tenant,
} from 'dbmanager';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import session from 'express-session';
import { NOTES, type Note } from './notes.ts';

declare module 'express-session' {
  interface SessionData {
    login?: string;
    tenant?: string;
  }
}

/** Notes of several tenants, each at a host of its own. All that is kept is on the one connection `main`. */
export function createApp(mgr: ConnectionManager, shutdown: AbortSignal): Express {
  const main = mgr.get('main');
  const stores = main.stores();
  const notes = main.repository<Note>(NOTES);
  const tenants = new TenantsByHost<Tenant>((host, { signal }) => stores.tenants.loadByHost(host, { signal }));
  const app = express();
  // Of no tenant: /ops/metrics, /ops/health/live, /ops/health/ready
  app.use('/ops', createRequestListener({ manager: mgr, metrics: mgr.metrics(), shutdown }));

  app.use(expressTenant(tenants));
  app.use(expressDeadline({ timeout: '5s' }));
  app.use(
    rateLimit({
      windowMs: 60_000,
      limit: (request) => tenants.of(request).maxRequests,
      keyGenerator: (request) => tenants.of(request).id,
      store: new ExpressRateLimitStore(stores.rateLimits),
      standardHeaders: 'draft-8',
      legacyHeaders: false,
    }),
  );
  app.use(
    session({
      secret: 'from the environment, in a real one',
      store: expressSessionStore(stores.sessions, {
        ownerOf: ({ login, tenant }) => ({ userId: String(login), tenantId: String(tenant) }),
      }),
      resave: false,
      saveUninitialized: false,
    }),
  );
  app.use(express.json());

  // With a new id, so that nobody who knew the old one is in.
  app.post('/login', (request, response, next) => {
    const { user } = request.body as { readonly user: string };
    request.session.regenerate((error) => {
      if (error) return next(error);
      request.session.login = user;
      request.session.tenant = tenants.of(request).id;
      response.status(204).end();
    });
  });

  // Sessions of all tenants are in one table: a cookie of one opens nothing at the host of another.
  const needsUser: RequestHandler = (request, response, next) => {
    const { login, tenant } = request.session;
    if (login !== undefined && tenant === tenants.of(request).id) next();
    else response.status(401).json({ error: 'log in first' });
  };

  app.get('/notes', needsUser, async (request, response) => {
    const { id } = tenants.of(request);
    const order = { order: { created_at: 'desc' }, limit: 10 } as const;
    const { rows, next } = await notes.page({ tenant_id: id }, { ...order, after: cursorOf(request.query.after) });
    response.json({ notes: rows.map(({ author, text }) => `${author}: ${text}`), next });
  });

  // Both, or neither: nothing leaves before COMMIT, and an answer of 400 or more rolls back.
  app.post('/notes', needsUser, expressTransaction(main), async (request, response) => {
    const { id } = tenants.of(request);
    const { text } = request.body as { readonly text: string };
    const note = await notes.create({
      tenant_id: id,
      author: String(request.session.login),
      text,
      created_at: new Date(),
    });
    await stores.workloadMetrics.save({ timestamp: new Date(), tenantId: id, path: '/notes', method: 'POST' });
    if (text.length > 40) response.status(422).json({ error: 'a note has at most 40 characters' });
    else response.status(201).json({ id: note.id });
  });

  // Asked for by everybody, all the time: kept until somebody writes a note.
  app.get('/count', async (request, response) => {
    const { id } = tenants.of(request);
    const sql = 'select count(*) as notes from notes where tenant_id = ? and deleted_at is null';
    response.json(await main.database().queryOne(sql, [id], { cache: true }));
  });

  app.use(answerErrors);
  return app;
}

function cursorOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Errors with a status are those of the middleware; no message of a database gets out. */
const answerErrors: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status, code } = error as { readonly status?: number; readonly code?: string };
  if (typeof status === 'number') response.status(status).json({ error: code });
  else if (isDbManagerError(error)) response.status(error.retryable ? 503 : 500).json({ error: error.code });
  else response.status(500).json({ error: 'internal' });
};
