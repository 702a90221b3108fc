import { type ConfigProblem, type ConnectionConfig, DbManagerError, Secret } from '@dbmanager/core';

/** Takes down a rule that is broken: the key to change, the rule's stable name, and what is wrong. */
export type Report = (key: string, rule: string, message: string) => void;

/** Puts the options of a connection together to where and how to connect, and reports all that is wrong with them. */
export type TargetReader<O extends object, T> = (connection: ConnectionConfig<O>, report: Report) => T;

/** The target of a connection. Throws `DBM_INVALID_OPTION` for the first of what {@link targetProblems} finds. */
export function resolveTargetBy<O extends object, T>(read: TargetReader<O, T>, connection: ConnectionConfig<O>): T {
  return read(connection, (key, _rule, message) => {
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: connection.name, option: key });
  });
}

/** All that is wrong with how a connection says where and how to connect. */
export function targetProblems<O extends object>(
  read: TargetReader<O, unknown>,
  connection: ConnectionConfig<O>,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  read(connection, (key, rule, message) => problems.push({ path: [key], rule, message }));
  return problems;
}

/** What a connection string says; nothing where there is none, undefined where it cannot be read, which is reported. */
export function readDsn<D extends object>(
  dsn: Secret | undefined,
  parse: (text: string) => D,
  report: Report,
): D | Record<string, never> | undefined {
  if (dsn === undefined) return {};
  try {
    return parse(dsn.reveal());
  } catch (error) {
    if (!(error instanceof DbManagerError)) throw error;
    report('dsn', 'invalid-dsn', error.detail.replace(/^dsn: /, ''));
    return undefined;
  }
}

/** A value of a connection string that must be one of a list; undefined where it is left out, or not one, which is reported. */
export function oneOf<const V extends string>(
  value: string | undefined,
  values: readonly V[],
  key: string,
  report: Report,
): V | undefined {
  if (value === undefined) return undefined;
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) report('dsn', 'invalid-dsn', `dsn: ${key} must be one of ${values.join(', ')}`);
  return found;
}

/** What connection string and options may both say of who logs in. */
export interface LoginOptions {
  readonly dsn: Secret | undefined;
  readonly user: string | undefined;
  readonly password: Secret | undefined;
}

/** Who logs in. */
export interface Login {
  /** Empty when there is none, which is reported. */
  readonly user: string;
  readonly password: Secret | undefined;
}

/** Who logs in; the connection string goes before the options. `dsn` is what {@link readDsn} gave. */
export function readLogin(
  dsn: { readonly user?: string; readonly password?: string } | undefined,
  options: LoginOptions,
  report: Report,
): Login {
  const user = dsn?.user ?? options.user ?? '';
  // What a DSN that cannot be read leaves out says nothing.
  if (user === '' && dsn !== undefined) {
    report(options.dsn === undefined ? 'user' : 'dsn', 'missing', 'a user is needed, in user or in dsn');
  }
  return { user, password: dsn?.password === undefined ? options.password : new Secret(dsn.password) };
}
