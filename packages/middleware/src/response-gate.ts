import type { ServerResponse } from 'node:http';
import { publicCodeOf, statusOf } from './request-error.js';
import { headOf, type ResponseHead, restoreHead } from './response-head.js';

/** What a response sends its bytes with. */
const SENDING = ['writeHead', 'flushHeaders', 'write', 'end'] as const;
/** What throws once the headers are sent. */
const SETTING = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const;

type Sending = (typeof SENDING)[number];
type Method = (...args: readonly unknown[]) => unknown;

interface HeldCall {
  readonly name: Sending;
  readonly args: readonly unknown[];
}

/**
 * Holds back what a handler sends, whichever framework it goes through: all of them end at `node:http`'s response. While it is
 * held nothing leaves, not even the headers, and writers are told to wait for `drain`.
 *
 * Three ends: {@link release} sends what was held, {@link discard} forgets it so that another answer can be given, and
 * {@link refuse} gives that answer itself and drops whatever the handler does from then on.
 */
export class ResponseGate {
  readonly #response: ServerResponse;
  readonly #send: Readonly<Record<Sending, Method>>;
  readonly #before: ResponseHead;
  readonly #asked = Promise.withResolvers<void>();
  #holds = 0;
  #shut = false;
  #held: HeldCall[] = [];
  /** The head when the first byte was to go out. */
  #head: ResponseHead | undefined;
  #complete = false;

  /** Takes the place of the response's methods for good; those of middlewares that came earlier are called when it is open. */
  constructor(response: ServerResponse) {
    this.#response = response;
    this.#before = headOf(response);
    const send: Partial<Record<Sending, Method>> = {};
    for (const name of SENDING) {
      const original = Reflect.get(response, name) as Method;
      send[name] = (...args) => original.apply(response, [...args]);
      Reflect.set(response, name, (...args: unknown[]) => this.#call({ name, args }));
    }
    this.#send = send as Record<Sending, Method>;
  }

  /** Resolves when the first byte would go out while it is held. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** The status that is to be sent, as far as it is known. */
  get status(): number {
    return this.#head?.status ?? this.#response.statusCode;
  }

  /** The handler has begun to send, and has not ended. */
  get streaming(): boolean {
    return this.#head !== undefined && !this.#complete;
  }

  /** Nothing that is done to the response has an effect any more. */
  get shut(): boolean {
    return this.#shut;
  }

  /** Holds what is sent from now on, until {@link release} has been called as often. */
  hold(): void {
    this.#holds++;
  }

  /** Sends what was held, and lets through what comes later. */
  release(): void {
    if (--this.#holds > 0 || this.#shut) return;
    const held = this.#held;
    if (this.#head !== undefined) restoreHead(this.#response, this.#head);
    this.#forget();
    for (const { name, args } of held) this.#send[name](...args);
    const waits = held.some(({ name }) => name === 'write') && held.at(-1)?.name !== 'end';
    // Node tells of its own buffer only where it was full.
    if (waits && !this.#response.writableNeedDrain) this.#response.emit('drain');
  }

  /** Forgets what was held, with the headers set for it. What is sent next is held in its place. */
  discard(): void {
    if (this.#head === undefined || this.#shut) return;
    const dropped = this.#held;
    restoreHead(this.#response, this.#before);
    this.#forget();
    for (const { args } of dropped) acknowledge(args);
  }

  /**
   * Answers with an error in place of the handler, which may still be running: what that does to the response from now on is
   * dropped, without its being told. An answer that has begun to leave is cut off.
   */
  refuse(error: unknown): void {
    if (this.#shut) return;
    this.#shut = true;
    const response = this.#response;
    for (const { args } of this.#held) acknowledge(args);
    if (response.headersSent) response.destroy();
    if (response.destroyed) return;
    restoreHead(response, this.#before);
    const body = `${JSON.stringify({ error: publicCodeOf(error) })}\n`;
    // The request may not have been read to its end, so the socket is not used again.
    const head = {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.length,
      Connection: 'close',
    };
    this.#send.writeHead(statusOf(error), head);
    this.#send.end(body);
    for (const name of SETTING) Reflect.set(response, name, () => response);
  }

  #call(call: HeldCall): unknown {
    if (!this.#shut && this.#holds === 0) return this.#send[call.name](...call.args);
    // Sent a second time, by mistake, the first answer stands.
    if (this.#shut || this.#complete) acknowledge(call.args);
    else this.#keep(call);
    if (call.name === 'write') return this.#shut;
    return call.name === 'flushHeaders' ? undefined : this.#response;
  }

  #keep(call: HeldCall): void {
    this.#head ??= this.#headOf(call);
    this.#held.push(call);
    this.#complete = call.name === 'end';
    this.#asked.resolve();
  }

  #headOf({ name, args: [status] }: HeldCall): ResponseHead {
    const head = headOf(this.#response);
    return name === 'writeHead' && typeof status === 'number' ? { ...head, status } : head;
  }

  #forget(): void {
    this.#held = [];
    this.#head = undefined;
    this.#complete = false;
  }
}

/** Calls back whoever waits for what is not sent, as it would wait for ever. */
function acknowledge(args: readonly unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === 'function') process.nextTick(() => callback());
}
