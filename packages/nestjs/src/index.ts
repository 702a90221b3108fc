export {
  DbManagerModule,
  type DbManagerModuleAsyncOptions,
  type DbManagerModuleOptions,
} from './db-manager-module.js';
export type { HandleKind, HandleOptions } from './handles.js';
export {
  getConnectionToken,
  getHandleToken,
  InjectConnection,
  InjectDrizzle,
  InjectHandle,
  InjectKnex,
  InjectKysely,
  InjectMikroOrm,
  InjectNative,
  InjectTypeorm,
} from './injection.js';
