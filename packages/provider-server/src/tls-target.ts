import { readFile } from 'node:fs/promises';
import { DbManagerError, defineOptions } from '@dbmanager/core';
import { isSocketPath } from './server-place.js';
import type { Report } from './target-reading.js';

/** What TLS a connection asks for, weakest first; the meanings are those of libpq. Not every server has all. */
export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Paths of the files that TLS needs. */
export interface TlsFiles {
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
}

/** How to connect, as far as TLS goes. */
export interface TlsTarget extends TlsFiles {
  readonly sslMode: SslMode;
}

/** What stands in those files. */
export interface TlsCertificates {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The keys of a client certificate, for the option table of a provider. */
export const CLIENT_CERTIFICATE_OPTIONS = defineOptions({
  sslcert: {
    kind: 'path',
    description: 'File with the client certificate, when the server asks for one.',
  },
  sslkey: {
    kind: 'path',
    description: 'File with the key of the client certificate.',
  },
});

/** How the files are named, in connection strings as in options. */
interface NamedTlsFiles {
  readonly sslrootcert?: string | undefined;
  readonly sslcert?: string | undefined;
  readonly sslkey?: string | undefined;
}

/** Puts together what TLS needs; the connection string goes before the options. Reports what does not go together. */
export function readTlsTarget<M extends SslMode>(
  sslMode: M,
  dsn: NamedTlsFiles,
  options: NamedTlsFiles,
  hosts: readonly string[],
  report: Report,
): TlsFiles & { readonly sslMode: M } {
  const sslCert = dsn.sslcert ?? options.sslcert;
  const sslKey = dsn.sslkey ?? options.sslkey;
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    report(sslCert === undefined ? 'sslkey' : 'sslcert', 'incomplete', 'sslcert and sslkey go together');
  }
  if (sslMode === 'verify-full' && hosts.some(isSocketPath)) {
    report('sslmode', 'unsupported', 'a Unix socket has no host name that verify-full could check');
  }
  return { sslMode, sslRootCert: dsn.sslrootcert ?? options.sslrootcert, sslCert, sslKey };
}

/**
 * The ways to connect that `sslmode` allows, in order; false is without TLS. `prefer` tries that when TLS fails, `allow` the
 * other way round. Files are read anew each time, so that renewed certificates are taken up; `settings` makes of them what
 * the driver takes.
 *
 * Rejects with `DBM_TLS_FAILED` when a file cannot be read.
 */
export async function tlsChoices<S extends object>(
  target: TlsTarget,
  connectionName: string,
  settings: (certificates: TlsCertificates) => S,
): Promise<readonly (S | false)[]> {
  if (target.sslMode === 'disable') return [false];
  const tls = settings(await readTlsFiles(target, connectionName));
  if (target.sslMode === 'allow') return [false, tls];
  return target.sslMode === 'prefer' ? [tls, false] : [tls];
}

/** What stands in the files that are named. Rejects with `DBM_TLS_FAILED` when one cannot be read. */
export async function readTlsFiles(files: TlsFiles, connectionName: string): Promise<TlsCertificates> {
  const read = async (option: string, path: string | undefined) => {
    try {
      return path === undefined ? undefined : await readFile(path, 'utf8');
    } catch (error) {
      throw new DbManagerError('DBM_TLS_FAILED', `${option}: the file ${path} cannot be read`, {
        cause: error,
        connectionName,
        option,
      });
    }
  };
  const [ca, cert, key] = await Promise.all([
    read('sslrootcert', files.sslRootCert),
    read('sslcert', files.sslCert),
    read('sslkey', files.sslKey),
  ]);
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}
