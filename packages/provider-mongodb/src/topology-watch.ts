import type { Clock } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ServerDescription, TopologyDescription } from 'mongodb';
import type { MongoClient } from './mongodb-driver.js';

/** What a {@link TopologyWatch} tells. */
export interface TopologyHost {
  /** No server that operations go to is known any more, and its monitor says why. */
  unavailable(error: Error): void;
  /** There is one again. */
  available(): void;
}

/** The types of servers that each read preference can be served by. */
const WRITABLE = new Set(['Standalone', 'RSPrimary', 'Mongos', 'LoadBalancer']);
const READABLE = new Set([...WRITABLE, 'RSSecondary']);
const SECONDARY = new Set([...READABLE].filter((type) => type !== 'RSPrimary'));

/** Follows what the driver's monitors find out about the deployment: SDAM events. */
export class TopologyWatch {
  readonly #client: MongoClient;
  readonly #clock: Clock;
  readonly #host: TopologyHost;
  readonly #suitable: ReadonlySet<string>;
  /** When the monitor of each server last had an answer; addresses as SDAM has them. */
  readonly #answeredAt = new Map<string, number>();
  readonly #failures = new Set<(address: string, error: Error) => void>();
  #description: TopologyDescription | undefined;
  /** What the host was told last. */
  #told: 'available' | 'unavailable' | undefined;
  readonly #listeners = {
    topologyDescriptionChanged: (event: { newDescription: TopologyDescription }) => this.#changed(event.newDescription),
    serverHeartbeatSucceeded: (event: { connectionId: string }) => this.#answered(event.connectionId),
    serverHeartbeatFailed: (event: { connectionId: string; failure: Error }) =>
      this.#failed(event.connectionId, event.failure),
  } as const;

  constructor(client: MongoClient, clock: Clock, host: TopologyHost) {
    this.#client = client;
    this.#clock = clock;
    this.#host = host;
    this.#suitable = suitableFor(client.readPreference.mode);
    for (const [event, listener] of Object.entries(this.#listeners)) client.on(event as never, listener as never);
  }

  stop(): void {
    for (const [event, listener] of Object.entries(this.#listeners))
      this.#client.off(event as never, listener as never);
  }

  /** True while a server is known that operations go to. */
  get available(): boolean {
    return this.#servers().some(({ type }) => this.#suitable.has(type));
  }

  /** False for a deployment that is known to be without transactions, undefined while nothing is known of it. */
  get hasTransactions(): boolean | undefined {
    const types = this.#servers().map(({ type }) => type);
    if (types.some((type) => type === 'RSPrimary' || type === 'Mongos' || type === 'LoadBalancer')) return true;
    return types.includes('Standalone') ? false : undefined;
  }

  /** True when a monitor has had an answer of a server that operations go to within `ms`; where none are, taken as yes. */
  answeredWithin(ms: number): boolean {
    const since = this.#clock.now() - ms;
    return this.#servers().some(
      ({ type, address }) =>
        type === 'LoadBalancer' || (this.#suitable.has(type) && (this.#answeredAt.get(address) ?? -1) >= since),
    );
  }

  /** Rejects as soon as every server that is known has failed a check since this call, with the error of the last. */
  everyServerFails(signal: AbortSignal): Promise<never> {
    const failed = new Set<string>();
    return new Promise((_, reject) => {
      const onFailure = (address: string, error: Error) => {
        failed.add(address);
        const servers = this.#servers();
        if (servers.length > 0 && servers.every((server) => failed.has(server.address))) end(error);
      };
      const end = (error: Error) => {
        this.#failures.delete(onFailure);
        signal.removeEventListener('abort', onAbort);
        reject(error);
      };
      const onAbort = () => end(signal.reason as Error);
      this.#failures.add(onFailure);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #servers(): ServerDescription[] {
    return [...(this.#description?.servers.values() ?? [])];
  }

  #changed(description: TopologyDescription): void {
    this.#description = description;
    // Whether it is gone is said by the monitor: an operation that failed makes a server unknown until the next check.
    if (this.available && this.#told !== 'available') {
      this.#told = 'available';
      this.#host.available();
    }
  }

  #answered(address: string): void {
    this.#answeredAt.set(address, this.#clock.now());
  }

  #failed(address: string, error: Error): void {
    this.#answeredAt.delete(address);
    // The description follows the event: it is asked when that has been taken in.
    queueMicrotask(() => {
      for (const listener of [...this.#failures]) listener(address, error);
      if (this.available || this.#told === 'unavailable') return;
      this.#told = 'unavailable';
      this.#host.unavailable(error);
    });
  }
}

function suitableFor(mode: string): ReadonlySet<string> {
  if (mode === 'primary') return WRITABLE;
  return mode === 'secondary' ? SECONDARY : READABLE;
}
