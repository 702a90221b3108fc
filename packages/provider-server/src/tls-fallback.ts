/** What errors of a connect say about TLS. */
export interface TlsVerdicts {
  /** The server has no TLS, or none that fits. */
  isTlsFailure(error: unknown): boolean;
  /** Another choice of TLS may help. */
  mayBeTls(error: unknown): boolean;
}

/** Connects by the choices of TLS in their order, and remembers the places that turned out to have none. */
export class TlsFallback<Place extends object> {
  readonly #verdicts: TlsVerdicts;
  /** Not asked for TLS each time, though it was preferred. */
  readonly #plain = new WeakSet<Place>();

  constructor(verdicts: TlsVerdicts) {
    this.#verdicts = verdicts;
  }

  /** What the first choice that works gives. Rejects with the error of the last that was tried. */
  async connect<Tls extends object, C>(
    place: Place,
    choices: readonly (Tls | false)[],
    signal: AbortSignal,
    open: (tls: Tls | false) => Promise<C>,
  ): Promise<C> {
    const left = this.#plain.has(place) ? choices.slice(-1) : choices;
    for (const [index, tls] of left.entries()) {
      try {
        return await open(tls);
      } catch (error) {
        const other = left[index + 1];
        if (other === undefined || signal.aborted || !this.#verdicts.mayBeTls(error)) throw error;
        if (other === false && this.#verdicts.isTlsFailure(error)) this.#plain.add(place);
      }
    }
    throw new TypeError('sslmode gives at least one way to connect');
  }
}
