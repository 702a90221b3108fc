import type { ConnectionOptions } from 'node:tls';
import {
  abortedError,
  type ConnectionFactory,
  type CreateContext,
  DbManagerError,
  type ErrorVerdict,
  type ProviderContext,
} from '@dbmanager/core';
import { isSocketPath, placeText, type ServerPlace, TlsFallback, tlsChoices } from '@dbmanager/provider-server';
import { bounded, cleanClient, isDirty, validateClient } from './client-care.js';
import { clientFor } from './client-for.js';
import { connectError, isConnectionLost, isTlsFailure, judge, lostError, sqlState } from './errors.js';
import { destroySocket, isGone, type PgClient, type PgDriver } from './pg-driver.js';
import type { PostgresTarget } from './postgres-target.js';
import { verification } from './postgres-tls.js';
import type { ServerKind } from './server-kind.js';
import { statementTimeout } from './statement-timeout.js';

/** What a {@link PostgresConnectionFactory} is made of. */
export interface PostgresConnectionFactorySetup {
  readonly connectionName: string;
  readonly driver: PgDriver;
  readonly target: PostgresTarget;
  readonly clock: ProviderContext['clock'];
  /** For all hosts together; 0 is no limit of the factory's own. */
  readonly connectTimeoutMs: number;
  /** `statement_timeout` of every connection; 0 leaves it to the server. */
  readonly statementTimeoutMs: number;
  readonly kind: ServerKind;
}

/** How well a host is what `target_session_attrs` asks for; second best is a primary where a standby is preferred. */
type Fitness = 'fits' | 'second-best' | 'unfit';

/** Makes `pg.Client`s for the pool, on the first host that answers and fits. */
export class PostgresConnectionFactory implements ConnectionFactory<PgClient> {
  readonly #setup: PostgresConnectionFactorySetup;
  readonly #tls = new TlsFallback<ServerPlace>({ isTlsFailure, mayBeTls });

  readonly #Client: PgDriver['Client'];

  constructor(setup: PostgresConnectionFactorySetup) {
    this.#setup = setup;
    this.#Client = clientFor(setup.kind, setup.driver);
  }

  async create({ signal, lost }: CreateContext): Promise<PgClient> {
    const failures: DbManagerError[] = [];
    for (const { host, accepted } of this.#candidates()) {
      const outcome = await this.#tryHost(host, accepted, signal);
      if (!(outcome instanceof DbManagerError)) return this.#handOver(outcome, lost);
      failures.push(outcome);
    }
    throw this.#noHost(failures);
  }

  validate(client: PgClient, signal: AbortSignal): Promise<void> {
    return validateClient(client, signal);
  }

  isDirty(client: PgClient): boolean {
    return isDirty(client);
  }

  clean(client: PgClient, signal: AbortSignal): Promise<void> {
    return cleanClient(client, signal, this.#setup.connectionName);
  }

  async destroy(client: PgClient, signal: AbortSignal): Promise<void> {
    if (!isGone(client)) await bounded(client, signal, () => client.end());
  }

  judge(error: unknown): ErrorVerdict {
    return judge(error);
  }

  /** The hosts in the order of trying; twice when a host that is second best may do. */
  *#candidates(): Iterable<{ host: ServerPlace; accepted: readonly Fitness[] }> {
    const { hosts, sessionAttrs } = this.#setup.target;
    for (const host of hosts) yield { host, accepted: ['fits'] };
    if (sessionAttrs === 'prefer-standby') for (const host of hosts) yield { host, accepted: ['fits', 'second-best'] };
  }

  /** A client of that host, or why to go on to the next. Rejects when going on is of no use. */
  async #tryHost(
    host: ServerPlace,
    accepted: readonly Fitness[],
    signal: AbortSignal,
  ): Promise<PgClient | DbManagerError> {
    const { connectionName } = this.#setup;
    try {
      const client = await this.#connectTo(host, signal);
      if (accepted.includes(await this.#fitnessOf(client, host, signal))) return client;
      destroySocket(client);
      return this.#unfit(host);
    } catch (error) {
      if (signal.aborted) throw abortedError(signal, connectionName);
      const failure = error instanceof DbManagerError ? error : connectError(error, { connectionName, ...host });
      // As libpq does: only a host that is not there is passed over, not one that refuses us.
      if (!failure.retryable) throw failure;
      return failure;
    }
  }

  async #connectTo(host: ServerPlace, signal: AbortSignal): Promise<PgClient> {
    const { connectionName, target } = this.#setup;
    const choices = isSocketPath(host.host)
      ? [false as const]
      : await tlsChoices(target, connectionName, (files) => ({ ...files, ...verification(target) }));
    return this.#tls.connect(host, choices, signal, (tls) => this.#open(host, tls, signal));
  }

  /** One attempt on one host. Whatever comes of it, no socket is left but that of the client it resolves to. */
  #open(host: ServerPlace, tls: ConnectionOptions | false, signal: AbortSignal): Promise<PgClient> {
    const { clock, connectTimeoutMs, target } = this.#setup;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const client = new this.#Client(this.#clientConfig(host, tls));
      // From its first moment to its last: an error event without a listener ends the process.
      client.on('error', () => {});
      const fail = (error: unknown) => {
        done();
        destroySocket(client);
        reject(error);
      };
      const onAbort = () => fail(signal.reason);
      // A silent host must leave time for those after it.
      const share = connectTimeoutMs / target.hosts.length;
      const timer =
        target.hosts.length > 1 && connectTimeoutMs > 0
          ? clock.setTimer(share, () => fail(this.#hostTimeout(host, share)), { keepAlive: true })
          : undefined;
      const done = () => {
        timer?.cancel();
        signal.removeEventListener('abort', onAbort);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      client.connect((error: Error | null) => {
        if (error) return fail(error);
        done();
        forgetPassword(client);
        resolve(client);
      });
    });
  }

  #clientConfig({ host, port }: ServerPlace, ssl: ConnectionOptions | false): object {
    const { target, statementTimeoutMs, kind } = this.#setup;
    const { user, database, applicationName, serverOptions, password } = target;
    return {
      host,
      port,
      user,
      database,
      // A function keeps pg from looking for a password in the environment and in ~/.pgpass.
      password: () => password?.reveal(),
      ssl,
      // Given lest pg takes it from the environment.
      sslnegotiation: 'postgres',
      keepAlive: true,
      application_name: applicationName,
      // A pooler refuses it: the session sets it for each transaction.
      ...(statementTimeoutMs > 0 && !kind.pooled && { statement_timeout: statementTimeout(statementTimeoutMs) }),
      ...(serverOptions !== undefined && { options: serverOptions }),
    };
  }

  /** Whether the server is what `target_session_attrs` asks for. */
  async #fitnessOf(client: PgClient, host: ServerPlace, signal: AbortSignal): Promise<Fitness> {
    const { sessionAttrs } = this.#setup.target;
    if (sessionAttrs === 'any') return 'fits';
    try {
      let standby = false;
      let readOnly = false;
      await bounded(client, signal, async () => {
        const { rows } = await client.query(
          `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS "readOnly"`,
        );
        ({ standby, readOnly } = rows[0]);
      });
      switch (sessionAttrs) {
        case 'read-write':
          return readOnly ? 'unfit' : 'fits';
        case 'read-only':
          return readOnly ? 'fits' : 'unfit';
        case 'primary':
          return standby ? 'unfit' : 'fits';
        case 'standby':
          return standby ? 'fits' : 'unfit';
        case 'prefer-standby':
          return standby ? 'fits' : 'second-best';
      }
    } catch (error) {
      destroySocket(client);
      throw connectError(error, { connectionName: this.#setup.connectionName, ...host });
    }
  }

  #handOver(client: PgClient, lost: CreateContext['lost']): PgClient {
    const { connectionName } = this.#setup;
    // pg tells of one death several times, and of some only by `end`; the pool takes the first.
    client.on('error', (error: Error) => lost(lostError(error, connectionName)));
    client.on('end', () => lost(lostError('the socket was closed', connectionName)));
    return client;
  }

  #hostTimeout(host: ServerPlace, ms: number): DbManagerError {
    return new DbManagerError('DBM_CONNECT_TIMEOUT', `no answer from ${placeText(host)} within ${ms} ms`, {
      connectionName: this.#setup.connectionName,
      option: 'connect_timeout',
    });
  }

  #unfit(host: ServerPlace): DbManagerError {
    const { connectionName, target } = this.#setup;
    return new DbManagerError('DBM_CONNECT_FAILED', `${placeText(host)} is not ${target.sessionAttrs}`, {
      connectionName,
      option: 'target_session_attrs',
    });
  }

  /** Of one host its own error; of several one that holds all. */
  #noHost(failures: readonly DbManagerError[]): DbManagerError {
    const [first] = failures;
    if (first !== undefined && failures.length === 1) return first;
    return new DbManagerError(
      'DBM_CONNECT_FAILED',
      `no host could be used: ${failures.map(({ detail }) => detail).join('; ')}`,
      {
        connectionName: this.#setup.connectionName,
        option: 'host',
        cause: new AggregateError(failures),
      },
    );
  }
}

/** pg keeps the password for a reconnect that there never is. */
function forgetPassword(client: PgClient): void {
  const { connectionParameters } = client as unknown as { connectionParameters: { password: unknown } };
  connectionParameters.password = undefined;
  client.password = undefined;
}

/** Whether another choice of TLS may help: the handshake failed, or pg_hba.conf has no entry for this kind. */
function mayBeTls(error: unknown): boolean {
  return isTlsFailure(error) || sqlState(error) === '28000' || (isConnectionLost(error) && sqlState(error) === '');
}
