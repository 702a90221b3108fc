import { decodeDsnPart, dsnParameters, invalidDsn, splitOnce } from '@dbmanager/provider-server';

/** What a connection string says; what it leaves out is undefined. */
export interface MongodbDsn {
  readonly srv: boolean;
  /** `host` or `host:port`, as they stand there. */
  readonly hosts: readonly string[];
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  /** Decoded, in their order; names in lower case, as they are read without regard to it. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

const FORM = /^mongodb(\+srv)?:\/\/(?:([^@/]*)@)?([^/?@]+)(?:\/([^?]*))?(?:\?(.*))?$/s;

/**
 * Reads `mongodb://user:password@host:port,host:port/database?name=value` and `mongodb+srv://`, where every part is
 * percent-encoded. Throws `DBM_INVALID_OPTION`; nothing of the DSN is in the message, since any part of a malformed one may
 * be the password. What the parameters mean is for the driver to say.
 */
export function parseMongodbDsn(text: string): MongodbDsn {
  const match = FORM.exec(text);
  if (match === null) throw invalidDsn('it is not of the form mongodb://user:password@host:port,host:port/database');
  const [, srv, credentials = '', place = '', database = '', query = ''] = match;
  const [user, password] = splitOnce(credentials, ':');
  const hosts = place.split(',').map((host) => decodeDsnPart(host, 'a host'));
  if (srv !== undefined && (hosts.length > 1 || /:\d*$/.test(place))) {
    throw invalidDsn('mongodb+srv takes one host without a port');
  }
  return {
    srv: srv !== undefined,
    hosts,
    parameters: [...dsnParameters(query)].map(({ name, value }) => [name, value] as const),
    ...(user !== '' && { user: decodeDsnPart(user, 'the user') }),
    ...(password !== undefined && { password: decodeDsnPart(password, 'the password') }),
    ...(database !== '' && { database: decodeDsnPart(database, 'the database') }),
  };
}
