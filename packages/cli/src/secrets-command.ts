import {
  DbManagerError,
  readTextFile,
  SECRETS_KEY,
  SECRETS_KEY_FILE,
  SecretKeys,
  withoutFinalNewline,
} from '@dbmanager/core';
import type { Command } from 'commander';
import type { CliIo } from './cli-io.js';
import type { CommandContext } from './command-context.js';
import { EXIT } from './failure.js';

/** `connections.NAME.OPTION`, or an option for all connections, as problems of a file write it. */
const OPTION = /^(?:connections\.(?:[A-Za-z0-9_-]+|"[A-Za-z0-9_.-]+")\.)?[a-z][a-z0-9_]*$/;

/** Adds `secrets` and its commands. */
export function addSecretsCommand(program: Command, { io, done }: Pick<CommandContext, 'io' | 'done'>): void {
  const secrets = program.command('secrets').description('Make keys and encrypted values for the configuration.');

  secrets
    .command('key')
    .description(`Print a new key, for ${SECRETS_KEY} or the file that ${SECRETS_KEY_FILE} names.`)
    .action(() => {
      io.stdout.write(`${SecretKeys.generate()}\n`);
      done(EXIT.ok);
    });

  secrets
    .command('encrypt')
    .description('Read a value from stdin and print it encrypted, with the first key there is, for one option.')
    .argument('<option>', 'where it will stand: connections.NAME.password; it can be decrypted nowhere else')
    .action(async (option: string) => {
      io.stdout.write(`${await encrypted(option, io)}\n`);
      done(EXIT.ok);
    });
}

async function encrypted(option: string, io: CliIo): Promise<string> {
  if (!OPTION.test(option)) {
    const text = `"${option}" is no option; write connections.NAME.password, also for one of a profile`;
    throw new DbManagerError('DBM_INVALID_OPTION', text, { option: 'option' });
  }
  const keys = SecretKeys.of(io.env, readTextFile);
  if (keys === undefined) {
    const text = `there is no key; set ${SECRETS_KEY} or ${SECRETS_KEY_FILE}, and make one with: dbmanager secrets key`;
    throw new DbManagerError('DBM_INVALID_OPTION', text, { option: SECRETS_KEY });
  }
  const text = withoutFinalNewline(await io.readInput());
  if (text === '') throw new DbManagerError('DBM_INVALID_OPTION', 'there is no value on stdin', { option: 'stdin' });
  return keys.encrypt(text, option);
}
