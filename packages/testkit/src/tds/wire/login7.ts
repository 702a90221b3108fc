import { ByteReader } from './byte-reader.js';

/** What a LOGIN7 message asks for (MS-TDS 2.2.6.4). */
export interface Login {
  readonly tdsVersion: number;
  readonly packetSize: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly hostName: string;
  readonly appName: string;
  readonly clientName: string;
  readonly readOnlyIntent: boolean;
  /** Windows or another authority is to know the user, not the server. */
  readonly integrated: boolean;
  /** The client takes UTF-8. */
  readonly utf8: boolean;
}

/** Where the pairs of offset and length begin. */
const OFFSETS_AT = 36;
const INTEGRATED_SECURITY = 0x80;
const READ_ONLY_INTENT = 0x20;
const EXTENSION_USED = 0x10;
const FEATURE = { federatedAuthentication: 0x02, utf8: 0x0a, end: 0xff } as const;

export function readLogin(data: Buffer): Login {
  const fixed = new ByteReader(data, 4);
  const tdsVersion = fixed.uint32();
  const packetSize = fixed.uint32();
  fixed.offset = 25;
  const [flags2, typeFlags, flags3] = [fixed.uint8(), fixed.uint8(), fixed.uint8()];
  const offsets = new ByteReader(data, OFFSETS_AT);
  const field = () => ({ at: offsets.uint16(), length: offsets.uint16() });
  const bytes = ({ at, length }: { at: number; length: number }) => data.subarray(at, at + length * 2);
  const text = (place = field()) => bytes(place).toString('ucs2');
  const [hostName, user] = [text(), text()];
  const password = unscramble(bytes(field()));
  const [appName] = [text(), field()];
  const extension = field();
  const [clientName] = [text(), field()];
  const database = text();
  const features = (flags3 & EXTENSION_USED) === 0 ? new Set<number>() : readFeatures(data, extension.at);
  return {
    tdsVersion,
    packetSize,
    user,
    password,
    database,
    hostName,
    appName,
    clientName,
    readOnlyIntent: (typeFlags & READ_ONLY_INTENT) !== 0,
    integrated: (flags2 & INTEGRATED_SECURITY) !== 0 || features.has(FEATURE.federatedAuthentication),
    utf8: features.has(FEATURE.utf8),
  };
}

/** Numbers of the features that the client asks for. */
function readFeatures(data: Buffer, at: number): Set<number> {
  const reader = new ByteReader(data, data.readUInt32LE(at));
  const features = new Set<number>();
  for (let feature = reader.uint8(); feature !== FEATURE.end; feature = reader.uint8()) {
    features.add(feature);
    reader.bytes(reader.uint32());
  }
  return features;
}

/** Undoes what the client does to keep a password from being read at a glance: it is no encryption. */
function unscramble(scrambled: Buffer): string {
  return Buffer.from(scrambled.map((byte) => swapNibbles(byte ^ 0xa5))).toString('ucs2');
}

function swapNibbles(byte: number): number {
  return ((byte & 0x0f) << 4) | (byte >> 4);
}
