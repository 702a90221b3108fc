import { RequestContext, signalOf, type TenantsByHost } from '@dbmanager/middleware';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { Connection, DbManagerError } from 'dbmanager';

/** The transaction of the request on the named connection, a `ConnectionTransaction`; see `Transactional`. */
export const CurrentTransaction = createParamDecorator((name: string, context: ExecutionContext) => {
  for (const [connection, tx] of RequestContext.find(requestOf(context)).transactions) {
    if (connection instanceof Connection && connection.name === name) return tx;
  }
  throw new DbManagerError('DBM_UNSUPPORTED', 'the request runs in no transaction of this connection', {
    connectionName: name,
  });
});

/** An `AbortSignal`, aborted when the client hangs up or the deadline of the request has passed. */
export const RequestSignal = createParamDecorator((_: undefined, context: ExecutionContext) =>
  signalOf(requestOf(context)),
);

/** The tenant of the request, of those that `app.use(expressTenant(tenants))` looks for. */
export const CurrentTenant = createParamDecorator((tenants: TenantsByHost<object>, context: ExecutionContext) =>
  tenants.of(requestOf(context)),
);

function requestOf(context: ExecutionContext): object {
  return context.switchToHttp().getRequest<object>();
}
