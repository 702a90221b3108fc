import type { EventEmitter } from 'node:events';
import type { MysqlConnection, MysqlDriver } from './mysql-driver.js';

type Listener = (...args: never[]) => void;

/** How listeners are added; each such method is followed by one to remove them. */
const ADDERS = ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const;

/**
 * A connection as somebody sees it who does not own it: every member of mysql2's connection, on the real one, except what
 * a subclass has for itself. Listeners go with the view.
 */
export interface ConnectionView {
  /** Takes the listeners away that came through this view. */
  dropListeners(connection: MysqlConnection): void;
}

/** Makes a view; `real` gives the connection behind it, or throws when it may not be used any more. */
export type ConnectionViewClass = new (real: () => MysqlConnection) => ConnectionView;

const classes = new WeakMap<MysqlDriver, ConnectionViewClass>();

/**
 * The class of the views of one copy of mysql2; its instances are `instanceof` its PoolConnection. It is made once, after
 * the members of `sample`, so that a view costs no proxy.
 */
export function connectionViewClass(driver: MysqlDriver, sample: MysqlConnection): ConnectionViewClass {
  const known = classes.get(driver);
  if (known !== undefined) return known;
  const made = defineView(driver, sample);
  classes.set(driver, made);
  return made;
}

function defineView(driver: MysqlDriver, sample: MysqlConnection): ConnectionViewClass {
  class View {
    readonly #real: () => MysqlConnection;
    #listeners: [event: string | symbol, listener: Listener][] | undefined;

    constructor(real: () => MysqlConnection) {
      this.#real = real;
    }

    dropListeners(connection: MysqlConnection): void {
      for (const [event, listener] of this.#listeners ?? [])
        connection.removeListener(event as 'end', listener as never);
      this.#listeners = undefined;
    }

    /** Removes those of this view; the others keep the process alive when the connection dies. */
    removeAllListeners(event?: string | symbol): this {
      const real = this.#real();
      for (const [each, listener] of this.#listeners ?? [])
        if (event === undefined || event === each) real.removeListener(each as 'end', listener as never);
      return this;
    }

    /** Also allowed after the end, when the listener is gone already. */
    off(event: string | symbol, listener: Listener): this {
      if (this.#listeners?.some(([each, own]) => each === event && own === listener)) {
        this.#real().removeListener(event as 'end', listener as never);
      }
      return this;
    }

    removeListener(event: string | symbol, listener: Listener): this {
      return this.off(event, listener);
    }

    static addListenersBy(how: (typeof ADDERS)[number]): void {
      const add = function (this: View, event: string | symbol, listener: Listener): View {
        (this.#real() as EventEmitter)[how](event, listener as never);
        this.#listeners ??= [];
        this.#listeners.push([event, listener]);
        return this;
      };
      Object.defineProperty(View.prototype, how, { value: add, configurable: true, writable: true });
    }

    static forwardMethod(name: string): void {
      const call = function (this: View, ...args: unknown[]): unknown {
        const real = this.#real();
        return Reflect.apply(Reflect.get(real, name) as (...args: unknown[]) => unknown, real, args);
      };
      Object.defineProperty(View.prototype, name, { value: call, configurable: true, writable: true });
    }

    static forwardProperty(name: string): void {
      Object.defineProperty(View.prototype, name, {
        configurable: true,
        get(this: View) {
          return Reflect.get(this.#real(), name);
        },
        set(this: View, value: unknown) {
          Reflect.set(this.#real(), name, value);
        },
      });
    }
  }
  const own = new Set(Object.getOwnPropertyNames(View.prototype));
  for (const [name, isMethod] of membersOf(sample)) {
    if (own.has(name)) continue;
    if (isMethod) View.forwardMethod(name);
    else View.forwardProperty(name);
  }
  for (const how of ADDERS) View.addListenersBy(how);
  Object.setPrototypeOf(View.prototype, driver.PoolConnection.prototype);
  return View;
}

/** Every member of a connection, and whether it is a method of its class. */
function membersOf(sample: MysqlConnection): Map<string, boolean> {
  const members = new Map<string, boolean>();
  let prototype: object = Object.getPrototypeOf(sample);
  // One of ours in the place of a method is a method, too.
  const isMethod = (name: string) => typeof Reflect.get(prototype, name, sample) === 'function';
  for (const name of Object.getOwnPropertyNames(sample)) members.set(name, isMethod(name));
  // Object's own is the last; where tests run in a VM it is not this realm's.
  while (Object.getPrototypeOf(prototype) !== null) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (!members.has(name)) members.set(name, typeof value === 'function');
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  members.delete('constructor');
  // They make another object of the view itself.
  members.delete('promise');
  return members;
}
