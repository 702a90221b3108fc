import {
  type AnyProvider,
  type ConnectionConfig,
  type Engine,
  isDbManagerError,
  type ObserveStatements,
  type ProviderContext,
  type SqlEngine,
  type StatementObservation,
} from '@dbmanager/core';
import { RememberingSource } from '@dbmanager/database';
import { InterceptedSession } from './intercepted-session.js';
import type { Interceptor } from './interceptor.js';
import { LiveConnections } from './live-connections.js';
import { overlay } from './overlay.js';

const UNTOLD: StatementObservation = { end() {}, fail() {} };

/** `provider`, with an interceptor between its databases and those who connect to them, and who send them statements. */
export function interceptedProvider(provider: AnyProvider, interceptor: Interceptor): AnyProvider {
  const { adopt } = provider;
  const opened = async (
    { name }: ConnectionConfig,
    context: ProviderContext,
    open: (context: ProviderContext) => Promise<Engine<unknown>>,
  ) => {
    const live = new LiveConnections<unknown>(name);
    const observe = observing(context.observe, interceptor, live);
    return intercepted(await open({ ...context, observe }), name, interceptor, live);
  };
  return overlay(provider, {
    open: (config: ConnectionConfig, context: ProviderContext) =>
      opened(config, context, (observed) => provider.open(config, observed)),
    ...(adopt && {
      adopt: (handle: unknown, config: ConnectionConfig, context: ProviderContext) =>
        opened(config, context, (observed) => adopt.call(provider, handle, config, observed)),
    }),
  });
}

/** Kills connections as the interceptor says, and tells whoever else wants to know of statements. */
function observing(
  observe: ObserveStatements | undefined,
  interceptor: Interceptor,
  live: LiveConnections<unknown>,
): ObserveStatements {
  return (engine) => {
    const observer = observe?.(engine);
    return {
      begin(...sent) {
        // Not every provider says which connection it is.
        const [sql, , connection] = sent as readonly [string, ...unknown[]];
        if (interceptor.sending?.(sql) === true) live.kill(connection);
        return observer?.begin(...sent) ?? UNTOLD;
      },
      beginCommand: (...command) => observer?.beginCommand(...command) ?? UNTOLD,
    };
  };
}

function intercepted<C>(
  engine: Engine<C>,
  connectionName: string,
  interceptor: Interceptor,
  live: LiveConnections<C>,
): Engine<C> {
  const { readers, sql, probe } = engine;
  const wrapped = (factory: Engine<C>['factory']): Engine<C>['factory'] => {
    const known = live.known(factory);
    return overlay(known, {
      async create(context) {
        await interceptor.connecting?.(connectionName, context.signal);
        return known.create(context);
      },
      // The providers of databases in this process know no loss of a connection.
      judge: (error) =>
        isDbManagerError(error, 'DBM_CONNECTION_LOST') ? 'fatal' : (factory.judge?.(error) ?? 'harmless'),
    });
  };
  return overlay(engine, {
    factory: wrapped(engine.factory),
    ...(readers && { readers: wrapped(readers) }),
    ...(probe && {
      async probe(signal: AbortSignal) {
        interceptor.probing?.(connectionName);
        await probe.call(engine, signal);
      },
    }),
    ...(sql && { sql: interceptedSql(sql, interceptor) }),
  });
}

function interceptedSql<C>(sql: SqlEngine<C>, interceptor: Interceptor): SqlEngine<C> {
  return overlay(sql, {
    session: (source) => new InterceptedSession(sql, new RememberingSource(source), interceptor),
    // Every statement is to go through a session.
    run: undefined,
  });
}
