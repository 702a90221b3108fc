import { createHash } from 'node:crypto';
import { DbManagerError } from '@dbmanager/core';

/** What stands before the digest of a key that is not kept as it is. */
const DIGESTED = 'sha256:';
/** What every engine compares alike: no spaces, which some leave away at the end, and nothing that a collation might fold. */
const PLAIN = /^[\x21-\x7e]{1,128}$/;
const PREFIX = /^[\x21-\x7e]{0,64}$/;

/**
 * A key as the table has it: any text, an address or a header of a stranger, becomes one that fits. What is long, or is not plain
 * ASCII, is kept as its SHA-256 digest.
 */
export function storedKey(prefix: string, key: string): string {
  const plain = PLAIN.test(key) && !key.startsWith(DIGESTED);
  return prefix + (plain ? key : DIGESTED + createHash('sha256').update(key, 'utf16le').digest('hex'));
}

/** Throws `DBM_INVALID_OPTION` for what cannot stand before keys. */
export function checkKeyPrefix(prefix: unknown, connectionName: string): string {
  if (typeof prefix === 'string' && PREFIX.test(prefix)) return prefix;
  throw new DbManagerError('DBM_INVALID_OPTION', 'a prefix of keys is at most 64 characters of ASCII without spaces', {
    connectionName,
    option: 'keyPrefix',
  });
}
