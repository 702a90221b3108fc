import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';

/** A private key and the certificate for it, as PEM texts. */
export interface Certified {
  readonly key: string;
  readonly certificate: string;
}

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  text: 0x0c,
  sequence: 0x30,
  set: 0x31,
  time: 0x17,
  version: 0xa0,
  extensions: 0xa3,
  hostName: 0x82,
  address: 0x87,
} as const;
/** ecdsa-with-SHA256. */
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];
const SUBJECT_ALTERNATIVE_NAME = [0x55, 0x1d, 0x11];
const TRUE = Buffer.from([0xff]);

/** The certificate of an authority that nobody knows yet, or of a server that vouches for itself (RFC 5280). */
export function selfSignedCertificate(name: string): Certified {
  const constraints = der(TAG.sequence, der(TAG.boolean, TRUE));
  return issue(name, extension(BASIC_CONSTRAINTS, constraints));
}

/** The certificate of a host or a client that an authority has signed. @param address IPv4 address of the host, beside its name. */
export function signedCertificate(name: string, authority: Certified, address?: string): Certified {
  const names = [der(TAG.hostName, Buffer.from(name))];
  if (address !== undefined) names.push(der(TAG.address, Buffer.from(address.split('.').map(Number))));
  return issue(name, extension(SUBJECT_ALTERNATIVE_NAME, der(TAG.sequence, ...names)), authority);
}

function issue(name: string, extended: Buffer, authority?: Certified): Certified {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(TAG.sequence, der(TAG.oid, Buffer.from(ECDSA_WITH_SHA256)));
  const issuer = authority === undefined ? name : commonNameOf(authority);
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
  const body = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    algorithm,
    distinguished(issuer),
    der(TAG.sequence, time('200101000000Z'), time('491231235959Z')),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(TAG.extensions, der(TAG.sequence, extended)),
  );
  const signature = sign('sha256', body, authority === undefined ? privateKey : createPrivateKey(authority.key));
  const certificate = der(TAG.sequence, body, algorithm, der(TAG.bits, Buffer.from([0]), signature));
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, certificate: pem(certificate) };
}

function commonNameOf({ certificate }: Certified): string {
  return new X509Certificate(certificate).subject.replace(/^CN=/, '');
}

function distinguished(name: string): Buffer {
  const common = der(TAG.sequence, der(TAG.oid, Buffer.from(COMMON_NAME)), der(TAG.text, Buffer.from(name)));
  return der(TAG.sequence, der(TAG.set, common));
}

function extension(oid: readonly number[], value: Buffer): Buffer {
  return der(TAG.sequence, der(TAG.oid, Buffer.from(oid)), der(TAG.octets, value));
}

function time(text: string): Buffer {
  return der(TAG.time, Buffer.from(text));
}

/** A value of ASN.1 with its tag and length, which is as short as it can be. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(value)]), value]);
}

function lengthOf({ length }: Buffer): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
