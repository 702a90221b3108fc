import {
  type AnyProvider,
  type ConnectionConfig,
  type Engine,
  isDbManagerError,
  type ProviderContext,
  type SqlEngine,
} from '@dbmanager/core';
import { InterceptedSession } from './intercepted-session.js';
import type { Interceptor } from './interceptor.js';
import { overlay } from './overlay.js';
import { SpiedSource } from './spied-source.js';

/** `provider`, with an interceptor between its databases and those who connect to them, and who send statements through sessions. */
export function interceptedProvider(provider: AnyProvider, interceptor: Interceptor): AnyProvider {
  const { adopt } = provider;
  return overlay(provider, {
    open: async (config: ConnectionConfig, context: ProviderContext) =>
      intercepted(await provider.open(config, context), config.name, interceptor),
    ...(adopt && {
      adopt: async (handle: unknown, config: ConnectionConfig, context: ProviderContext) =>
        intercepted(await adopt.call(provider, handle, config, context), config.name, interceptor),
    }),
  });
}

function intercepted<C>(engine: Engine<C>, connectionName: string, interceptor: Interceptor): Engine<C> {
  const { readers, sql, probe } = engine;
  const wrapped = (factory: Engine<C>['factory']): Engine<C>['factory'] =>
    overlay(factory, {
      async create(context) {
        await interceptor.connecting?.(connectionName, context.signal);
        return factory.create(context);
      },
      // The providers of databases in this process know no loss of a connection.
      judge: (error) =>
        isDbManagerError(error, 'DBM_CONNECTION_LOST') ? 'fatal' : (factory.judge?.(error) ?? 'harmless'),
    });
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
    session: (source) => new InterceptedSession(sql, new SpiedSource(source), interceptor),
    // Every statement is to go through a session.
    run: undefined,
  });
}
