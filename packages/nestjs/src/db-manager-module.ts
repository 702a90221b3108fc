import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import { type Connection, ConnectionManager, type LoadOptions } from 'dbmanager';
import { type HandleKind, type HandleOptions, openHandle } from './handles.js';
import { getConnectionToken, getHandleToken } from './injection.js';

/** What closes the manager when the application shuts down. */
const LIFETIME = Symbol('dbmanager:lifetime');

/** Options of {@link DbManagerModule.forRoot}: the YAML file, and what `ConnectionManager.load` takes. */
export interface DbManagerModuleOptions extends LoadOptions {
  /** Path of the YAML file. */
  readonly file: string;
}

/** Options of {@link DbManagerModule.forRootAsync}. */
export interface DbManagerModuleAsyncOptions {
  readonly imports?: ModuleMetadata['imports'];
  /** Providers that `useFactory` is called with. */
  readonly inject?: FactoryProvider['inject'];
  /** Makes the manager. The module connects and closes it. */
  // biome-ignore lint/suspicious/noExplicitAny: the types of what is injected are the caller's, as in Nest's own factories
  readonly useFactory: (...injected: any[]) => ConnectionManager | Promise<ConnectionManager>;
}

/**
 * Connections of dbmanager and handles of its ORMs as providers of Nest. `forRoot` once, in the root module; `forFeature` in
 * every module that injects:
 *
 * ```ts
 * @Module({ imports: [DbManagerModule.forRoot({ file: 'config/dbmanager.yaml' }), UsersModule] })
 * class AppModule {}
 *
 * @Module({ imports: [DbManagerModule.forFeature('primary', { typeorm: { entities: [User] }, knex: true })], … })
 * class UsersModule {}
 *
 * class UsersService {
 *   constructor(@InjectTypeorm('primary') private readonly users: DataSource) {}
 * }
 * ```
 *
 * The manager is connected before anything that injects it is made, so that Nest does not start without the databases that
 * are required, and closed when the application has shut down: call `app.enableShutdownHooks()` for signals to do that.
 */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: modules of Nest are classes
export class DbManagerModule {
  /** The manager of a YAML file, for the whole application; `ConnectionManager` can be injected everywhere. */
  static forRoot({ file, ...options }: DbManagerModuleOptions): DynamicModule {
    return DbManagerModule.forRootAsync({ useFactory: () => ConnectionManager.load(file, options) });
  }

  /** The same with a manager that the application makes, with what it injects. */
  static forRootAsync({ imports = [], inject = [], useFactory }: DbManagerModuleAsyncOptions): DynamicModule {
    return {
      module: DbManagerModule,
      global: true,
      imports,
      providers: [
        {
          provide: ConnectionManager,
          inject,
          useFactory: async (...injected: unknown[]) => connected(await useFactory(...injected)),
        },
        {
          provide: LIFETIME,
          inject: [ConnectionManager],
          useFactory: (manager: ConnectionManager) => ({ onApplicationShutdown: () => manager.close() }),
        },
      ],
      exports: [ConnectionManager],
    };
  }

  /**
   * A connection, and handles of ORMs on it. Several entity sets of one ORM stand side by side by the `name` in their
   * options; a module names only what it injects, and modules that name the same are given the same handle.
   */
  static forFeature(connection: string, handles: HandleOptions = {}): DynamicModule {
    const providers = [
      {
        provide: getConnectionToken(connection),
        inject: [ConnectionManager],
        useFactory: (manager: ConnectionManager) => manager.get(connection),
      },
      ...Object.entries(handles).map(([kind, options]) => handleProvider(connection, kind as HandleKind, options)),
    ];
    return { module: DbManagerModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}

function handleProvider(connection: string, kind: HandleKind, options: true | object): FactoryProvider {
  const own = options === true ? undefined : options;
  const { name } = (own ?? {}) as { readonly name?: string };
  return {
    provide: getHandleToken(kind, connection, name),
    inject: [getConnectionToken(connection)],
    useFactory: (opened: Connection) => openHandle(opened, kind, own),
  };
}

async function connected(manager: ConnectionManager): Promise<ConnectionManager> {
  try {
    await manager.connect();
    return manager;
  } catch (error) {
    await manager.close();
    throw error;
  }
}
