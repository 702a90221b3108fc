import { abortedError, type Clock, DbManagerError, Deadline, raceSignal } from '@dbmanager/core';
import { connectError } from './errors.js';
import type { MongoClient } from './mongodb-driver.js';
import type { PoolMonitor } from './pool-monitor.js';
import type { TopologyWatch } from './topology-watch.js';

/** A monitor hears of its server at least this often, in intervals of its own. */
const HEARTBEATS = 2;

/** What a {@link Deployment} is asked by. */
export interface DeploymentSetup {
  readonly connectionName: string;
  readonly client: MongoClient;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly topology: TopologyWatch;
  readonly monitor: PoolMonitor;
}

/** Asks the servers behind a client for an answer. */
export class Deployment {
  readonly #setup: DeploymentSetup;

  constructor(setup: DeploymentSetup) {
    this.#setup = setup;
  }

  /**
   * Has the driver connect, unless it is, and resolves when a server that the read preference allows has answered. Rejects as
   * soon as no server can be reached, and at `connect_timeout`.
   */
  async prove(signal: AbortSignal): Promise<void> {
    const { clock, connectTimeoutMs, connectionName, topology } = this.#setup;
    if (signal.aborted) throw abortedError(signal, connectionName);
    using deadline = new Deadline(clock, connectTimeoutMs, signal);
    const answered = new AbortController();
    const failed = topology.everyServerFails(AbortSignal.any([deadline.signal, answered.signal]));
    try {
      await Promise.race([this.#connectAndPing(deadline.signal), failed]);
    } catch (error) {
      if (isAborted(signal)) throw abortedError(signal, connectionName);
      throw deadline.expired ? this.#connectTimeout(error) : connectError(error, connectionName);
    } finally {
      answered.abort();
    }
  }

  /**
   * Sends `ping` to a server that the read preference allows. When all connections to one are in use, what its monitor last
   * heard answers instead: busy is not down.
   */
  async probe(signal: AbortSignal): Promise<void> {
    const { connectionName } = this.#setup;
    if (signal.aborted) throw abortedError(signal, connectionName);
    if (this.#isBusy()) return;
    try {
      await this.#ping(signal);
    } catch (error) {
      // It may have become full before the ping had its turn.
      if (this.#isBusy()) return;
      throw isAborted(signal) ? abortedError(signal, connectionName) : connectError(error, connectionName);
    }
  }

  async #connectAndPing(signal: AbortSignal): Promise<void> {
    await this.#setup.client.connect();
    await this.#ping(signal);
  }

  async #ping(signal: AbortSignal): Promise<void> {
    const { client } = this.#setup;
    const { readPreference } = client;
    // The signal ends the driver's waiting, and the race what does not heed it.
    await raceSignal(client.db('admin').command({ ping: 1 }, { readPreference, signal }), signal);
  }

  /** A ping would have to wait, and the monitors know that the deployment is well. */
  #isBusy(): boolean {
    const { monitor, topology, client } = this.#setup;
    return monitor.full && topology.answeredWithin(HEARTBEATS * client.options.heartbeatFrequencyMS);
  }

  #connectTimeout(cause: unknown): DbManagerError {
    const { connectionName, connectTimeoutMs, client, topology } = this.#setup;
    const who = topology.available
      ? 'no answer'
      : `no server that the read preference ${client.readPreference.mode} allows has answered`;
    return new DbManagerError('DBM_CONNECT_TIMEOUT', `${who} within connect_timeout (${connectTimeoutMs} ms)`, {
      connectionName,
      option: 'connect_timeout',
      cause,
    });
  }
}

/** Asked anew: it may have been aborted since it was last looked at. */
export function isAborted({ aborted }: AbortSignal): boolean {
  return aborted;
}
