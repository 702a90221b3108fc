export { type ExpressMiddleware, expressDeadline, expressTenant, expressTransaction } from './express.js';
export {
  type FastifyReply,
  type FastifyRequest,
  type FastifyRoutes,
  type FastifyTransactionHooks,
  fastifyDeadline,
  fastifyEndpoints,
  fastifyTenant,
  fastifyTransaction,
} from './fastify.js';
export {
  type KoaContext,
  type KoaMiddleware,
  koaDeadline,
  koaEndpoints,
  koaTenant,
  koaTransaction,
} from './koa.js';
export { type Exchange, RequestContext } from './request-context.js';
export { RequestDeadline, type RequestDeadlineOptions, signalOf } from './request-deadline.js';
export { RequestError } from './request-error.js';
export {
  type RequestConnection,
  type RequestTransactionOptions,
  RequestTransactions,
  transactionOf,
} from './request-transaction.js';
export {
  type TenantCacheOptions,
  type TenantResolver,
  TenantsByHost,
  type TenantsByHostOptions,
} from './tenants-by-host.js';
