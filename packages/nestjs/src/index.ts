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
export { Deadline, DeadlineInterceptor, Transactional, transactionInterceptor } from './request-interceptors.js';
export { CurrentTenant, CurrentTransaction, RequestSignal } from './request-parameters.js';
