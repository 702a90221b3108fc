import { type Clock, KnownOptions, systemClock, toMilliseconds } from '@dbmanager/core';
import { invalidOption } from './invalid-option.js';
import { type Exchange, RequestContext } from './request-context.js';
import { RequestError } from './request-error.js';

/** Options of a deadline for requests. */
export interface RequestDeadlineOptions {
  /** Longest time until the answer has been handed over: milliseconds, or a text as in the configuration (`'5s'`). */
  readonly timeout: number | string;
  /**
   * What the client is answered. Default: 503, as it is this server that gave up, and asking again may help. 504 would say
   * that of another one behind it.
   */
  readonly status?: number | undefined;
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = new KnownOptions<RequestDeadlineOptions>('a deadline', { timeout: true, status: true, clock: true });

/** Starts the deadlines of one mounted middleware. */
export class RequestDeadline {
  readonly #timeoutMs: number;
  readonly #status: number;
  readonly #clock: Clock;

  /** Throws `DBM_INVALID_OPTION` for a timeout that is none, for a status that is not 4xx or 5xx, and for an option that there is not. */
  constructor(options: RequestDeadlineOptions) {
    OPTIONS.check(options, undefined);
    const { timeout, status = 503, clock = systemClock } = options;
    const timeoutMs = toMilliseconds(timeout);
    if (timeoutMs === undefined || timeoutMs === 0) {
      throw invalidOption('timeout', `"${timeout}" is no time limit; write it as '5s', or in milliseconds`);
    }
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw invalidOption('status', `${status} is no status of an error`);
    }
    this.#timeoutMs = timeoutMs;
    this.#status = status;
    this.#clock = clock;
  }

  /**
   * From now on the time counts. When it has passed before the whole answer was handed over, {@link signalOf} is aborted and the
   * client is answered, or cut off where the answer has begun.
   */
  start(exchange: Exchange): RequestContext {
    const context = RequestContext.of(exchange);
    const { response } = exchange;
    if (response.closed) return context;
    const expire = () => {
      if (response.writableEnded) return;
      const text = `the request took longer than ${this.#timeoutMs} ms`;
      context.callOff(new RequestError('DBM_REQUEST_TIMEOUT', this.#status, text));
    };
    const timer = this.#clock.setTimer(this.#timeoutMs, expire, { keepAlive: true });
    response.once('close', () => timer.cancel());
    return context;
  }
}

/**
 * The signal of a request, as the framework hands it over (Koa: `ctx`): aborted when its client hangs up or its deadline has
 * passed. `connection.database().withContext(signalOf(request))` ends its statements then. Throws `DBM_UNSUPPORTED` when no
 * middleware of this package was mounted before.
 */
export function signalOf(request: object): AbortSignal {
  return RequestContext.find(request).signal;
}
