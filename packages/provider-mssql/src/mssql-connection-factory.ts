import {
  abortedError,
  type Clock,
  type ConnectionFactory,
  type CreateContext,
  DbManagerError,
  type ErrorVerdict,
} from '@dbmanager/core';
import { cleanConnection, isDirty, tellOfDeath, validateConnection } from './connection-care.js';
import { connectError, judge } from './errors.js';
import { MssqlConnection } from './mssql-connection.js';
import type { MssqlTarget } from './mssql-target.js';
import { type TediousTls, tediousTls, verifyAuthority } from './mssql-tls.js';
import { openConnection } from './open-connection.js';
import type { TediousConfig, TediousConnection, TediousDriver } from './tedious-driver.js';

/** The longest that a timer of Node can be set to. */
const FOREVER_MS = 2 ** 31 - 1;

/** What a {@link MssqlConnectionFactory} is made of. */
export interface MssqlConnectionFactorySetup {
  readonly connectionName: string;
  readonly driver: TediousDriver;
  readonly clock: Clock;
  readonly target: MssqlTarget;
  /** 0 is no limit. */
  readonly connectTimeoutMs: number;
}

/** Makes connections of tedious for the pool. */
export class MssqlConnectionFactory implements ConnectionFactory<MssqlConnection> {
  readonly #setup: MssqlConnectionFactorySetup;

  constructor(setup: MssqlConnectionFactorySetup) {
    this.#setup = setup;
  }

  async create({ signal, lost }: CreateContext): Promise<MssqlConnection> {
    const { connectionName, driver, clock } = this.#setup;
    let database: string | undefined;
    try {
      const tls = await tediousTls(this.#setup.target, connectionName);
      const tedious = await openConnection(() => {
        const connection = this.#make(tls);
        connection.on('databaseChange', (name: string) => {
          database ??= name;
        });
        return connection;
      }, signal);
      forgetSecrets(tedious);
      const connection = new MssqlConnection({ driver, connectionName, clock, connection: tedious, database });
      tellOfDeath(connection, connectionName, lost);
      return connection;
    } catch (error) {
      throw this.#explain(error, signal);
    }
  }

  validate(connection: MssqlConnection, signal: AbortSignal): Promise<void> {
    return validateConnection(connection, signal);
  }

  isDirty(connection: MssqlConnection): boolean {
    return isDirty(connection);
  }

  clean(connection: MssqlConnection, signal: AbortSignal): Promise<void> {
    return cleanConnection(connection, signal, this.#setup.connectionName);
  }

  /** TDS has no farewell. */
  async destroy(connection: MssqlConnection): Promise<void> {
    connection.destroy();
  }

  judge(error: unknown): ErrorVerdict {
    return judge(error);
  }

  #make(tls: TediousTls): TediousConnection {
    const { driver, target } = this.#setup;
    const connection = new driver.Connection(this.#config(tls));
    if (target.sslMode === 'verify-ca') verifyAuthority(connection);
    return connection;
  }

  #config(tls: TediousTls): TediousConfig {
    const { target, connectTimeoutMs } = this.#setup;
    const { host, port, instance, database } = target;
    return {
      server: host,
      authentication: authenticationOf(target) as NonNullable<TediousConfig['authentication']>,
      options: {
        ...(instance === undefined ? { port } : { instanceName: instance }),
        ...(database !== undefined && { database }),
        ...tls,
        appName: target.applicationName,
        readOnlyIntent: target.readOnlyIntent,
        multiSubnetFailover: target.multiSubnetFailover,
        useUTC: target.useUtc,
        // The pool gives up by itself; what asks for the port of an instance has only this limit.
        connectTimeout: connectTimeoutMs === 0 ? FOREVER_MS : connectTimeoutMs,
        // The pool tries again by itself.
        maxRetriesOnTransientErrors: 0,
        // It ends with the first packet of an answer: requests are limited by their own timer.
        requestTimeout: 0,
      },
    };
  }

  #explain(error: unknown, signal: AbortSignal): DbManagerError {
    const { connectionName, target } = this.#setup;
    if (signal.aborted) return abortedError(signal, connectionName);
    return error instanceof DbManagerError ? error : connectError(error, { connectionName, ...target });
  }
}

function authenticationOf(target: MssqlTarget): { type: string; options: object } {
  const { authentication, user, password, domain, azureClientId, azureClientSecret, azureTenantId, azureToken } =
    target;
  const credentials = {
    userName: user === '' ? undefined : user,
    password: password?.reveal(),
    domain,
    clientId: azureClientId,
    clientSecret: azureClientSecret?.reveal(),
    tenantId: azureTenantId,
    token: azureToken?.reveal(),
  };
  return { type: authentication === 'sql' ? 'default' : authentication, options: credentials };
}

/** tedious keeps what it has logged in with. */
function forgetSecrets(connection: TediousConnection): void {
  const { authentication } = connection.config as { authentication: { type: string; options: object } };
  authentication.options = {};
}
