import {
  decodeDsnPart,
  dsnParameters,
  invalidDsn,
  isSocketPath,
  splitOnce,
  splitPlace,
} from '@dbmanager/provider-server';

/** What a DSN may say; what it leaves out is undefined. */
export type MysqlDsn = Partial<
  Record<
    | 'host'
    | 'port'
    | 'user'
    | 'password'
    | 'database'
    | 'sslmode'
    | 'sslrootcert'
    | 'sslcert'
    | 'sslkey'
    | 'charset'
    | 'timezone',
    string
  >
>;
type DsnKey = keyof MysqlDsn;

/** Parameters that are understood: as MySQL's clients, Connector/J and mysql2 write them, and as our own options. */
const PARAMETERS: Readonly<Record<string, DsnKey>> = {
  'ssl-mode': 'sslmode',
  sslmode: 'sslmode',
  sslMode: 'sslmode',
  'ssl-ca': 'sslrootcert',
  sslrootcert: 'sslrootcert',
  'ssl-cert': 'sslcert',
  sslcert: 'sslcert',
  'ssl-key': 'sslkey',
  sslkey: 'sslkey',
  charset: 'charset',
  timezone: 'timezone',
  socket: 'host',
  user: 'user',
  password: 'password',
};
/** Other words for the values of `sslmode`: MySQL's, and those of the Go driver's `tls`. */
const SSL_WORDS: Readonly<Record<string, string>> = {
  disabled: 'disable',
  preferred: 'prefer',
  required: 'require',
  verify_ca: 'verify-ca',
  verify_identity: 'verify-full',
};
const GO_TLS: Readonly<Record<string, string>> = {
  true: 'verify-full',
  'skip-verify': 'require',
  preferred: 'prefer',
  false: 'disable',
};

const URL_FORM = /^(?:jdbc:)?(?:mysql|mariadb):\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/s;
/** Greedy: the user and password of the Go form are as they are, and may hold an `@` or a `/`. */
const GO_FORM = /^(?:(.*)@)?(tcp|unix)\(([^()]*)\)\/([^/?]*)(?:\?(.*))?$/s;

/**
 * Reads a connection string: a URL (`mysql://user:password@host:port/database?key=value`, `mariadb://`, `jdbc:mysql://`;
 * every part percent-encoded), or the form of the Go driver (`user:password@tcp(host:port)/database?key=value`, where
 * nothing but the parameters is). Throws `DBM_INVALID_OPTION`; nothing of the DSN is in the message, since any part of a
 * malformed one may be the password.
 */
export function parseMysqlDsn(text: string): MysqlDsn {
  const url = URL_FORM.exec(text);
  if (url !== null) return parseUrl(url);
  const go = GO_FORM.exec(text);
  if (go !== null) return parseGo(go);
  throw invalidDsn(
    'it is neither of the form mysql://user:password@host:port/database nor user:password@tcp(host:port)/database',
  );
}

function parseUrl([, credentials = '', place = '', database = '', query = '']: readonly string[]): MysqlDsn {
  const dsn: MysqlDsn = {};
  const [user, password] = splitOnce(credentials, ':');
  put(dsn, 'user', decodeDsnPart(user, 'the user'));
  if (password !== undefined) put(dsn, 'password', decodeDsnPart(password, 'the password'));
  putPlace(dsn, decodeDsnPart(place, 'the host'));
  put(dsn, 'database', decodeDsnPart(database, 'the database'));
  readParameters(dsn, query);
  return dsn;
}

function parseGo([, credentials = '', network, address = '', database = '', query = '']: readonly string[]): MysqlDsn {
  const dsn: MysqlDsn = {};
  const [user, password] = splitOnce(credentials, ':');
  put(dsn, 'user', user);
  if (password !== undefined) put(dsn, 'password', password);
  if (network === 'unix') put(dsn, 'host', address);
  else putPlace(dsn, address);
  put(dsn, 'database', database);
  readParameters(dsn, query);
  return dsn;
}

function readParameters(dsn: MysqlDsn, query: string): void {
  for (const { name, value, place } of dsnParameters(query)) assign(dsn, name, value, place);
}

function assign(dsn: MysqlDsn, name: string, value: string, place: string): void {
  if (name === 'tls') {
    put(dsn, 'sslmode', GO_TLS[value] ?? refuseTls(place));
    return;
  }
  const key = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
  if (key === undefined) {
    throw invalidDsn(`${place} is not known; these are: ${Object.keys(PARAMETERS).join(', ')}, tls`);
  }
  put(dsn, key, key === 'sslmode' ? (SSL_WORDS[value.toLowerCase()] ?? value.toLowerCase()) : value);
}

function refuseTls(place: string): never {
  throw invalidDsn(`${place}: tls must be one of ${Object.keys(GO_TLS).join(', ')}`);
}

function putPlace(dsn: MysqlDsn, text: string): void {
  const { host, port } = isSocketPath(text) ? { host: text, port: '' } : splitPlace(text);
  put(dsn, 'host', host);
  put(dsn, 'port', port);
}

/** An empty value is the same as none. */
function put(dsn: MysqlDsn, key: DsnKey, value: string): void {
  if (value !== '') dsn[key] = value;
}
