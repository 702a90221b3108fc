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
 * held nothing leaves, not even the headers, and writers are told to wait for `drain`. Between its first byte and its last one a
 * handler finds the response as Node has it then: `headersSent`, and headers refused. So nobody adds another answer to a part of one.
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
    for (const name of SETTING) this.#lockWhileStreaming(name);
    Object.defineProperty(response, 'headersSent', {
      configurable: true,
      get: () => this.streaming || Reflect.get(Object.getPrototypeOf(response), 'headersSent', response),
    });
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
    const head = this.#head;
    const held = this.#forget();
    if (head !== undefined) restoreHead(this.#response, head);
    for (const { name, args } of held) this.#send[name](...args);
    const waits = held.some(({ name }) => name === 'write') && held.at(-1)?.name !== 'end';
    // Node tells of its own buffer only where it was full.
    if (waits && !this.#response.writableNeedDrain) this.#response.emit('drain');
  }

  /** Forgets what was held, with the headers set for it. What is sent next is held in its place. */
  discard(): void {
    if (this.#head === undefined || this.#shut) return;
    for (const { args } of this.#forget()) acknowledge(args);
    restoreHead(this.#response, this.#before);
  }

  /**
   * Answers with an error in place of the handler, which may still be running: what that does to the response from now on is
   * dropped, without its being told. An answer that has begun to leave is cut off.
   */
  refuse(error: unknown): void {
    if (this.#shut) return;
    this.#shut = true;
    const response = this.#response;
    for (const { args } of this.#forget()) acknowledge(args);
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
    if (this.#shut || this.#repeats(call)) acknowledge(call.args);
    else this.#keep(call);
    if (call.name === 'write') return this.#shut;
    return call.name === 'flushHeaders' ? undefined : this.#response;
  }

  /** Sent a second time, by mistake, the first answer stands; and its head, for those who ask Node's `_header` whether that is sent. */
  #repeats({ name }: HeldCall): boolean {
    return this.#complete || (name === 'writeHead' && this.#head !== undefined);
  }

  #lockWhileStreaming(name: (typeof SETTING)[number]): void {
    const response = this.#response;
    const original = Reflect.get(response, name) as Method | undefined;
    // HTTP/2 has not all of them.
    if (original === undefined) return;
    Reflect.set(response, name, (...args: unknown[]) => {
      if (!this.streaming) return original.apply(response, args);
      throw Object.assign(new Error('Cannot change headers after they are sent'), { code: 'ERR_HTTP_HEADERS_SENT' });
    });
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

  /** From now on nothing is held; gives what was. */
  #forget(): readonly HeldCall[] {
    const held = this.#held;
    this.#held = [];
    this.#head = undefined;
    this.#complete = false;
    return held;
  }
}

/** Calls back whoever waits for what is not sent, as it would wait for ever. */
function acknowledge(args: readonly unknown[]): void {
  const callback = args.at(-1);
  if (typeof callback === 'function') process.nextTick(() => callback());
}
