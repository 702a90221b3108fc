/** How the stand-in runs: what its process is started with. */
export interface ServerSettings {
  readonly port: number;
  readonly host: string;
  /** Where the databases are kept. */
  readonly folder: string;
  /** Of the login `sa`. */
  readonly password: string;
  /** PEM texts; without, one of its own making that nobody trusts. */
  readonly tls?: { readonly key: string; readonly certificate: string } | undefined;
  /** What it says to clients about encryption. */
  readonly encryption: 'supported' | 'required' | 'unsupported';
}
