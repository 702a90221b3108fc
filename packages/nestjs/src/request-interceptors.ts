import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Exchange,
  RequestDeadline,
  type RequestDeadlineOptions,
  type RequestTransactionOptions,
  RequestTransactions,
} from '@dbmanager/middleware';
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  mixin,
  type NestInterceptor,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { ConnectionManager, type ConnectionTransaction } from 'dbmanager';
import { from, lastValueFrom, type Observable, of } from 'rxjs';

/**
 * A transaction on the named connection for each request of a controller or a method: committed before its answer goes out when
 * the status is below 400, rolled back when it throws, answers with another, or its client hangs up. Errors go to the exception
 * filters. What it answers is a value or a stream, not `@Sse`, whose events would leave before the commit.
 *
 * ```ts
 * @Post()
 * @Transactional('primary', { isolation: 'serializable' })
 * create(@CurrentTransaction('primary') tx: ConnectionTransaction) { … }
 * ```
 */
export function Transactional(
  connection: string,
  options?: RequestTransactionOptions,
): ClassDecorator & MethodDecorator {
  return UseInterceptors(transactionInterceptor(connection, options));
}

/** A deadline for each request of a controller or a method, which then is answered 503, whatever its handler does. */
export function Deadline(options: RequestDeadlineOptions): ClassDecorator & MethodDecorator {
  return UseInterceptors(new DeadlineInterceptor(options));
}

/** The interceptor of {@link Transactional}, for `APP_INTERCEPTOR`. It asks for the manager of `DbManagerModule`. */
export function transactionInterceptor(connection: string, options?: RequestTransactionOptions): Type<NestInterceptor> {
  @Injectable()
  class TransactionInterceptor implements NestInterceptor {
    readonly #transactions: RequestTransactions<ConnectionTransaction>;

    constructor(@Inject(ConnectionManager) manager: ConnectionManager) {
      this.#transactions = new RequestTransactions(manager.get(connection), options);
    }

    async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
      let handling: Promise<unknown> | undefined;
      await this.#transactions.run(exchangeOf(context), () => {
        handling = answerOf(next);
        return handling;
      });
      return of(await handling);
    }
  }
  return mixin(TransactionInterceptor);
}

/** The interceptor of {@link Deadline}. */
export class DeadlineInterceptor implements NestInterceptor {
  readonly #deadline: RequestDeadline;

  constructor(options: RequestDeadlineOptions) {
    this.#deadline = new RequestDeadline(options);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = this.#deadline.start(exchangeOf(context));
    return from(request.race(answerOf(next)));
  }
}

/** As Nest takes it: the last value, or none. */
function answerOf(next: CallHandler): Promise<unknown> {
  return lastValueFrom(next.handle(), { defaultValue: undefined });
}

/** Express's request is that of `node:http`; Fastify's has it. */
function exchangeOf(context: ExecutionContext): Exchange {
  const http = context.switchToHttp();
  const request = http.getRequest<IncomingMessage & { readonly raw?: IncomingMessage }>();
  const response = http.getResponse<ServerResponse & { readonly raw?: ServerResponse }>();
  return { request: request.raw ?? request, response: response.raw ?? response };
}
