import { decodeDsnPart, dsnParameters, invalidDsn, splitOnce, splitPlace } from '@dbmanager/provider-server';
import { type Property, properties, propertyName } from './property-list.js';

/** Keys of the options that a connection string may say. */
const KEYS = [
  'host',
  'port',
  'instance',
  'user',
  'password',
  'database',
  'sslmode',
  'sslrootcert',
  'ssl_server_name',
  'authentication',
  'domain',
  'azure_client_id',
  'azure_client_secret',
  'azure_tenant_id',
  'azure_token',
  'application_intent',
  'multi_subnet_failover',
  'application_name',
] as const;
type DsnKey = (typeof KEYS)[number];

/** What a DSN may say; what it leaves out is undefined. */
export type MssqlDsn = Partial<Record<DsnKey, string>>;

/** What the properties of ADO.NET, ODBC, JDBC and the Go driver are called here; those that say where are not among them. */
const PROPERTIES: Readonly<Record<string, DsnKey>> = {
  ...Object.fromEntries(KEYS.map((key) => [key, key] as const)),
  portnumber: 'port',
  instancename: 'instance',
  userid: 'user',
  username: 'user',
  uid: 'user',
  pwd: 'password',
  initialcatalog: 'database',
  databasename: 'database',
  hostnameincertificate: 'ssl_server_name',
  tenantid: 'azure_tenant_id',
  clientid: 'azure_client_id',
  clientsecret: 'azure_client_secret',
  token: 'azure_token',
  accesstoken: 'azure_token',
  applicationintent: 'application_intent',
  multisubnetfailover: 'multi_subnet_failover',
  applicationname: 'application_name',
  app: 'application_name',
  appname: 'application_name',
};
const PLACES = new Set(['server', 'datasource', 'address', 'addr', 'networkaddress', 'servername']);
/** Logs in who runs the process, which tedious cannot. */
const INTEGRATED = new Set(['integratedsecurity', 'trusted_connection']);
/** What the pool and its options decide, or what tedious has not. */
const IGNORED = new Set([
  'persistsecurityinfo',
  'pooling',
  'minpoolsize',
  'maxpoolsize',
  'connecttimeout',
  'connectiontimeout',
  'logintimeout',
  'commandtimeout',
  'connectretrycount',
  'connectretryinterval',
  'multipleactiveresultsets',
  'packetsize',
  'workstationid',
  'driver',
  'schema',
]);

const YES = new Set(['true', 'yes', '1']);
const NO = new Set(['false', 'no', '0']);
const ENCRYPT: Readonly<Record<string, 'disable' | 'verify-full' | 'strict'>> = {
  false: 'disable',
  no: 'disable',
  disable: 'disable',
  optional: 'disable',
  true: 'verify-full',
  yes: 'verify-full',
  mandatory: 'verify-full',
  strict: 'strict',
};
/** Words for logging in by Microsoft Entra ID, without their spaces; and by a login of SQL Server. */
const AUTHENTICATION: Readonly<Record<string, string>> = {
  sqlpassword: 'sql',
  activedirectorydefault: 'azure-active-directory-default',
  activedirectorypassword: 'azure-active-directory-password',
  activedirectorymanagedidentity: 'azure-active-directory-msi-vm',
  activedirectorymsi: 'azure-active-directory-msi-vm',
  activedirectoryserviceprincipal: 'azure-active-directory-service-principal-secret',
};

const URL_FORM = /^(?:jdbc:)?(mssql|sqlserver):\/\/(?:([^/?;]*)@)?([^/?;@]*)(?:\/([^?;]*))?(?:\?([^;]*))?(?:;(.*))?$/is;

/**
 * Reads a connection string: a URL (`mssql://user:password@host:port/database?key=value`, of which every part is percent-encoded;
 * `sqlserver://` as the Go driver has it, where the path is an instance, or with properties behind a `;` as JDBC and Prisma
 * have them), or a list of properties as ADO.NET and ODBC have it. Throws `DBM_INVALID_OPTION`; nothing of the DSN is in the
 * message, since any part of a malformed one may be the password.
 */
export function parseMssqlDsn(text: string): MssqlDsn {
  const url = URL_FORM.exec(text);
  if (url !== null) return parseUrl(url);
  if (/^\s*[a-z][\w ]*=/i.test(text)) return withProperties({}, properties(text));
  throw invalidDsn(
    'it is neither of the form mssql://user:password@host:port/database nor Server=host,port;Database=…;User Id=…;Password=…',
  );
}

function parseUrl([
  ,
  scheme,
  credentials = '',
  place = '',
  path = '',
  query = '',
  list = '',
]: readonly string[]): MssqlDsn {
  const dsn: MssqlDsn = {};
  const [user, password] = splitOnce(credentials, ':');
  put(dsn, 'user', decodeDsnPart(user, 'the user'));
  if (password !== undefined) put(dsn, 'password', decodeDsnPart(password, 'the password'));
  const { host, port } = splitPlace(decodeDsnPart(place, 'the host'));
  putHost(dsn, host);
  put(dsn, 'port', port);
  const isInstance = scheme?.toLowerCase() === 'sqlserver';
  put(dsn, isInstance ? 'instance' : 'database', decodeDsnPart(path, 'the path'));
  if (isInstance && path !== '' && port !== '') {
    throw invalidDsn(
      'the path of a sqlserver: URL is an instance, which has no port; write ?database=… for a database',
    );
  }
  return withProperties(dsn, [...dsnParameters(query)].map(asProperty).concat(...properties(list)));
}

function withProperties(dsn: MssqlDsn, given: Iterable<Property>): MssqlDsn {
  let encrypt: string | undefined;
  let trust = false;
  for (const property of given) {
    const { name, value } = property;
    if (name === 'encrypt') encrypt = ENCRYPT[value.toLowerCase()] ?? refuse(property, 'encrypt', Object.keys(ENCRYPT));
    else if (name === 'trustservercertificate') trust = isYes(property);
    else if (PLACES.has(name)) putServer(dsn, value);
    else if (INTEGRATED.has(name)) refuseIntegrated(property);
    else if (!IGNORED.has(name)) assign(dsn, property);
  }
  if (encrypt === 'verify-full' || (encrypt === undefined && trust))
    put(dsn, 'sslmode', trust ? 'require' : 'verify-full');
  else if (encrypt !== undefined) put(dsn, 'sslmode', encrypt);
  return dsn;
}

function asProperty({ name, ...rest }: Property): Property {
  return { ...rest, name: propertyName(name) };
}

function assign(dsn: MssqlDsn, property: Property): void {
  const { name, value, place } = property;
  const key = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
  if (key === undefined) throw invalidDsn(`${place} is not known`);
  if (key === 'user') putUser(dsn, value);
  else if (key === 'host') putServer(dsn, value);
  else put(dsn, key, inOurWords(key, property));
}

/** The value of a property, as the option has it. */
function inOurWords(key: DsnKey, property: Property): string {
  const { value } = property;
  if (key === 'authentication') return AUTHENTICATION[propertyName(value)] ?? value;
  if (key === 'application_intent') return value.replace(/^read-?/i, 'read-').toLowerCase();
  return key === 'multi_subnet_failover' ? String(isYes(property)) : value;
}

function refuseIntegrated(property: Property): void {
  if (property.value.toLowerCase() !== 'sspi' && !isYes(property)) return;
  throw invalidDsn(
    `${property.place}: who runs this process cannot be logged in; say domain, user and password for NTLM`,
  );
}

/** `tcp:host\instance,port`. */
function putServer(dsn: MssqlDsn, text: string): void {
  const [place, port = ''] = splitOnce(text.replace(/^tcp:/i, ''), ',');
  putHost(dsn, place.trim());
  put(dsn, 'port', port.trim());
}

/** `host\instance`; some words mean this machine. */
function putHost(dsn: MssqlDsn, text: string): void {
  const [host, instance = ''] = splitOnce(text, '\\');
  put(dsn, 'host', host === '.' || host.toLowerCase() === '(local)' ? 'localhost' : host.replace(/^\[(.*)\]$/, '$1'));
  put(dsn, 'instance', instance);
}

/** `domain\user`. */
function putUser(dsn: MssqlDsn, text: string): void {
  const [domain, user] = splitOnce(text, '\\');
  put(dsn, 'user', user ?? domain);
  if (user !== undefined) put(dsn, 'domain', domain);
}

function isYes(property: Property): boolean {
  const word = property.value.toLowerCase();
  return YES.has(word) || (!NO.has(word) && refuse(property, 'it', ['true', 'false']));
}

function refuse({ place }: Property, what: string, words: readonly string[]): never {
  throw invalidDsn(`${place}: ${what} must be one of ${words.join(', ')}`);
}

/** An empty value is the same as none. */
function put(dsn: MssqlDsn, key: DsnKey, value: string): void {
  if (value !== '') dsn[key] = value;
}
