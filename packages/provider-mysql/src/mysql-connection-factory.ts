import {
  abortedError,
  type ConnectionFactory,
  type CreateContext,
  DbManagerError,
  type ErrorVerdict,
} from '@dbmanager/core';
import { isSocketPath, type TlsCertificates, TlsFallback, tlsChoices } from '@dbmanager/provider-server';
import { bounded, cleanConnection, isDirty, validateConnection } from './connection-care.js';
import { connectError, isConnectionLost, isTlsFailure, isUnknownVariable, judge, lostError } from './errors.js';
import { destroySocket, isGone, type MysqlConnection, type MysqlDriver, runText } from './mysql-driver.js';
import type { MysqlTarget } from './mysql-target.js';
import { verifyHost } from './mysql-tls.js';
import { openConnection } from './open-connection.js';
import { limitAssignment, rememberLimit } from './server-limit.js';
import { ServerStatus } from './server-status.js';

/** What mysql2 takes as `ssl`; false is without TLS. */
type TlsChoice = (TlsCertificates & { readonly rejectUnauthorized: boolean }) | false;

/** What a {@link MysqlConnectionFactory} is made of. */
export interface MysqlConnectionFactorySetup {
  readonly connectionName: string;
  readonly driver: MysqlDriver;
  readonly target: MysqlTarget;
  /** Limit of the server for every statement it can limit; 0 leaves it to the server. */
  readonly statementTimeoutMs: number;
}

/** Makes mysql2 connections for the pool. */
export class MysqlConnectionFactory implements ConnectionFactory<MysqlConnection> {
  readonly #setup: MysqlConnectionFactorySetup;
  readonly #tls = new TlsFallback<MysqlTarget>({
    isTlsFailure,
    mayBeTls: (error) => isTlsFailure(error) || isConnectionLost(error),
  });

  constructor(setup: MysqlConnectionFactorySetup) {
    this.#setup = setup;
  }

  async create({ signal, lost }: CreateContext): Promise<MysqlConnection> {
    const connection = await this.connect(signal);
    try {
      await bounded(connection, signal, () => this.#prepareSession(connection));
    } catch (error) {
      destroySocket(connection);
      throw this.#explain(error, signal);
    }
    tellOfDeath(connection, this.#setup.connectionName, lost);
    return connection;
  }

  /** A connection as the server makes it, without the settings of the session; its owner destroys it. */
  async connect(signal: AbortSignal): Promise<MysqlConnection> {
    try {
      const choices = await this.#choices();
      return await this.#tls.connect(this.#setup.target, choices, signal, (tls) => this.#open(tls, signal));
    } catch (error) {
      throw this.#explain(error, signal);
    }
  }

  validate(connection: MysqlConnection, signal: AbortSignal): Promise<void> {
    return validateConnection(connection, signal);
  }

  isDirty(connection: MysqlConnection): boolean {
    return isDirty(connection);
  }

  clean(connection: MysqlConnection, signal: AbortSignal): Promise<void> {
    return cleanConnection(connection, signal, this.#setup.connectionName);
  }

  async destroy(connection: MysqlConnection, signal: AbortSignal): Promise<void> {
    if (isGone(connection)) {
      // Given up by mysql2 it may still be open.
      destroySocket(connection);
      return;
    }
    await bounded(connection, signal, async () => {
      const closed = new Promise((resolve) => connection.stream.once('close', resolve));
      connection.end();
      await closed;
    });
  }

  judge(error: unknown): ErrorVerdict {
    return judge(error);
  }

  async #choices(): Promise<readonly TlsChoice[]> {
    const { target, connectionName } = this.#setup;
    if (isSocketPath(target.host)) return [false];
    const rejectUnauthorized = target.sslMode.startsWith('verify-');
    return tlsChoices(target, connectionName, (files) => ({ rejectUnauthorized, ...files }));
  }

  async #open(tls: TlsChoice, signal: AbortSignal): Promise<MysqlConnection> {
    const { driver, target } = this.#setup;
    const make = () => {
      const connection = driver.createConnection(this.#config(tls));
      ServerStatus.watch(connection);
      if (tls !== false && target.sslMode === 'verify-full') verifyHost(connection, target.host);
      return connection;
    };
    const connection = await openConnection(make, signal);
    forgetPassword(connection);
    return connection;
  }

  #config(tls: TlsChoice): object {
    const { host, port, user, password, database, charset, timezone, ...target } = this.#setup.target;
    return {
      ...(isSocketPath(host) ? { socketPath: host } : { host, port }),
      user,
      password: password?.reveal(),
      database,
      ...(tls !== false && { ssl: tls }),
      charset,
      timezone,
      // The pool has a limit of its own, and cannot cancel this one.
      connectTimeout: 0,
      // Without it a large integer is given as the nearest number there is.
      supportBigNumbers: true,
      multipleStatements: target.multipleStatements,
      maxPreparedStatements: target.statementCacheSize,
      connectAttributes: { program_name: target.applicationName },
    };
  }

  async #prepareSession(connection: MysqlConnection): Promise<void> {
    const { target, statementTimeoutMs } = this.#setup;
    const assignments: string[] = [];
    if (target.timezone !== 'local') {
      assignments.push(`time_zone = '${target.timezone === 'Z' ? '+00:00' : target.timezone}'`);
    }
    if (!ServerStatus.of(connection).autocommit) assignments.push('autocommit = 1');
    if (statementTimeoutMs === 0) return set(connection, assignments);
    try {
      await set(connection, [...assignments, limitAssignment(connection, statementTimeoutMs)]);
      rememberLimit(connection, statementTimeoutMs);
    } catch (error) {
      // A server that speaks the protocol and cannot limit statements: we still do.
      if (!isUnknownVariable(error)) throw error;
      await set(connection, assignments);
    }
  }

  #explain(error: unknown, signal: AbortSignal): DbManagerError {
    const { connectionName, target } = this.#setup;
    if (signal.aborted) return abortedError(signal, connectionName);
    return error instanceof DbManagerError ? error : connectError(error, { connectionName, ...target });
  }
}

/** Calls `lost` when the connection dies by itself; what it returns ends that. */
export function tellOfDeath(connection: MysqlConnection, name: string, lost: CreateContext['lost']): () => void {
  // mysql2 tells a command under way, or by `error`, or by neither; the socket's `close` comes in any case.
  const onError = (error: Error) => lost(lostError(error, name));
  const onClose = () => lost(lostError('the socket was closed', name));
  const { stream } = connection;
  connection.on('error', onError);
  stream.on('close', onClose);
  return () => {
    connection.removeListener('error', onError);
    stream.removeListener('close', onClose);
  };
}

async function set(connection: MysqlConnection, assignments: readonly string[]): Promise<void> {
  if (assignments.length > 0) await runText(connection, { sql: `SET ${assignments.join(', ')}` });
}

/** mysql2 keeps the password for a change of user. */
function forgetPassword(connection: MysqlConnection): void {
  (connection as unknown as { config: { password: unknown } }).config.password = undefined;
}
