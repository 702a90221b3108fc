import type { BridgeTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource } from 'typeorm';
import type { QueryRunnerClass } from './query-runner.js';
import type { TypeormModule } from './typeorm-module.js';
import type { RefusedOptions, TypeormBridgeOptions } from './typeorm-options.js';

/** What an engine adapts. */
export interface AdaptedDataSource {
  readonly typeorm: TypeormModule;
  readonly dataSource: DataSource;
  readonly target: BridgeTarget;
  readonly options: TypeormBridgeOptions;
}

/** What differs between databases. */
export interface TypeormEngine {
  /** Options that cannot be honoured, with the reasons. */
  readonly refused: RefusedOptions;
  /** Options of TypeORM that follow from the connection, where others are not given. */
  defaults?(target: BridgeTarget): object;
  /** Options with which TypeORM makes its driver for this database, without a connection of its own. */
  driverOptions(target: BridgeTarget): object;
  /** Puts the driver of a data source on the shared pool, and gives the class of its query runners. Opens nothing. */
  adapt(adapted: AdaptedDataSource): QueryRunnerClass;
  /** Gives back what an initialisation that failed has left borrowed. */
  abandon(dataSource: DataSource): Promise<void>;
}
