import {
  type ConnectionType,
  connectionTable,
  type OptionSpec,
  ROOT_OPTIONS,
  SECRET_FILE_SUFFIX,
} from '@dbmanager/core';
import type { KeyPrivacy } from './secret-mask.js';

/** Which keys of the given types hold values that may be printed. A key that is a secret for one type is one for all. */
export function keyPrivacy(types: readonly ConnectionType[]): KeyPrivacy {
  const specs = [ROOT_OPTIONS, ...types.map(connectionTable)].flatMap((table) => Object.entries<OptionSpec>(table));
  const secret = new Set(specs.filter(([, spec]) => isSecret(spec)).map(([key]) => key));
  const open = new Set(['type', 'name', ...specs.map(([key]) => key)].filter((key) => !secret.has(key)));
  for (const [key, { kind }] of specs) if (kind === 'secret') open.add(key + SECRET_FILE_SUFFIX);
  return { open, secret };
}

function isSecret({ kind }: OptionSpec): boolean {
  return kind === 'secret' || kind === 'secret-string';
}
