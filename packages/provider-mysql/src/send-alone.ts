import type { Lease } from '@dbmanager/core';
import { isGone, isReady, type MysqlCommand, type MysqlConnection } from './mysql-driver.js';

/** What mysql2 calls back with. */
export type ResultCallback = (error: unknown, ...results: unknown[]) => void;

/** Sends a command by mysql2's own means, and has it call `heard` in the place of its callback. */
export type SendHeard = (connection: MysqlConnection, heard: ResultCallback) => MysqlCommand;

/**
 * Sends one command on a lease of its own, which is given back at its end. What `send` throws goes to the callback.
 */
export function sendAlone(lease: Lease<MysqlConnection>, send: SendHeard, callback: ResultCallback): void {
  const { connection } = lease;
  let failure: unknown;
  const giveBack = () => lease.release(failure);
  const ended = () => {
    // mysql2 puts a command away after it has told of its end.
    if (isReady(connection)) giveBack();
    else process.nextTick(giveBack);
  };
  const heard: ResultCallback = (error, ...results) => {
    failure = error;
    // It does not tell of the end of one whose connection has died.
    if (error && isGone(connection)) process.nextTick(ended);
    callback(error, ...results);
  };
  try {
    send(connection, heard).once('end', ended);
  } catch (error) {
    giveBack();
    process.nextTick(callback, error);
  }
}
