import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certified, selfSignedCertificate, signedCertificate } from './certificate.js';

/**
 * What a test of TLS needs, in a folder of its own: an authority (`ca.pem`), one that has signed nothing (`other.pem`), and a
 * client that the first has signed (`client.pem` and `client.key`, common name `certified`).
 */
export class CertificateFolder {
  /** Of the authority, for servers that ask for a certificate of their clients. */
  readonly authority: Certified;
  readonly #path: string;

  private constructor(path: string, authority: Certified) {
    this.#path = path;
    this.authority = authority;
  }

  static async create(): Promise<CertificateFolder> {
    const folder = new CertificateFolder(
      await mkdtemp(join(tmpdir(), 'dbmanager-tls-')),
      selfSignedCertificate('test authority'),
    );
    const client = folder.sign('certified');
    const files = {
      'ca.pem': folder.authority.certificate,
      'other.pem': selfSignedCertificate('another authority').certificate,
      'client.pem': client.certificate,
      'client.key': client.key,
    };
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(folder.file(name), text)));
    return folder;
  }

  /** Where a file of the folder is, or would be. */
  file(name: string): string {
    return join(this.#path, name);
  }

  /** A key and certificate for a host, as servers of the test kit take them. @param address IPv4 address that it names too. */
  sign(name: string, address?: string): Certified {
    return signedCertificate(name, this.authority, address);
  }

  remove(): Promise<void> {
    return rm(this.#path, { recursive: true });
  }
}
