import { decodeDsnPart, dsnParameters, invalidDsn, splitOnce, splitPlace } from '@dbmanager/provider-server';

/** What a DSN may say; what it leaves out is undefined. Keys are libpq's. */
export type PostgresDsn = Partial<Record<DsnKey, string>>;

/** The keys of a DSN that are understood; `port` has one for each host, or one for all. */
export const DSN_KEYS = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'application_name',
  'target_session_attrs',
  'options',
] as const;
type DsnKey = (typeof DSN_KEYS)[number];

const URL_FORM = /^postgres(?:ql)?:\/\/(?:([^/?]*)@)?([^/?@]*)(?:\/([^?]*))?(?:\?(.*))?$/s;
const WORD = /\s*([a-z_]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)/gsy;

/**
 * Reads a connection string as libpq does: a URL (`postgres://user:password@host:port,host:port/dbname?key=value`, every
 * part percent-encoded) or words (`host=… password='it\'s'`). Throws `DBM_INVALID_OPTION`; nothing of the DSN is in the
 * message, since any part of a malformed one may be the password.
 */
export function parsePostgresDsn(text: string): PostgresDsn {
  return /^[a-z]+:\/\//i.test(text) ? parseUrl(text) : parseWords(text);
}

function parseUrl(text: string): PostgresDsn {
  const match = URL_FORM.exec(text);
  if (match === null) throw invalidDsn('it is not of the form postgres://user:password@host:port/database?key=value');
  const [, credentials = '', hosts = '', database = '', query = ''] = match;
  const [user, password] = splitOnce(credentials, ':');
  const dsn: PostgresDsn = {};
  put(dsn, 'user', decodeDsnPart(user, 'the user'));
  if (password !== undefined) put(dsn, 'password', decodeDsnPart(password, 'the password'));
  put(dsn, 'dbname', decodeDsnPart(database, 'the database'));
  const places = hosts === '' ? [] : hosts.split(',').map(splitPlace);
  if (places.some(({ host }) => host !== ''))
    put(dsn, 'host', places.map(({ host }) => decodeDsnPart(host, 'the host')).join(','));
  if (places.some(({ port }) => port !== '')) put(dsn, 'port', places.map(({ port }) => port).join(','));
  for (const { name, value, place } of dsnParameters(query)) assign(dsn, name, value, place);
  return dsn;
}

function parseWords(text: string): PostgresDsn {
  const dsn: PostgresDsn = {};
  let end = 0;
  let count = 0;
  for (const [whole, key = '', value = ''] of text.matchAll(WORD)) {
    const bare = value.startsWith("'") ? value.slice(1, -1) : value;
    assign(dsn, key, bare.replace(/\\(.)/gs, '$1'), `word ${++count}`);
    end += whole.length;
  }
  if (count === 0) throw invalidDsn('it is neither a postgres:// URL nor a list of key=value words');
  if (text.slice(end).trim() !== '') throw invalidDsn(`after word ${count} it is no list of key=value words any more`);
  return dsn;
}

function assign(dsn: PostgresDsn, key: string, value: string, place: string): void {
  if (key === 'connect_timeout')
    throw invalidDsn('connect_timeout does not belong in it; write it beside dsn: connect_timeout: 10s');
  const known = DSN_KEYS.find((candidate) => candidate === key);
  if (known === undefined) throw invalidDsn(`${place} is not known; these are: ${DSN_KEYS.join(', ')}`);
  put(dsn, known, value);
}

/** As in libpq an empty value is the same as none. */
function put(dsn: PostgresDsn, key: DsnKey, value: string): void {
  if (value !== '') dsn[key] = value;
}
