const MASK = '[secret]';
const inspect = Symbol.for('nodejs.util.inspect.custom');

/** A value that no string conversion, JSON or `util.inspect` shows. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for handing to a driver. */
  reveal(): string {
    return this.#value;
  }

  /** `text` with every occurrence of the value masked, also URL- and base64-encoded. */
  redact(text: string): string {
    if (this.#value === '') return text;
    const forms = new Set([
      this.#value,
      encodeURIComponent(this.#value),
      encodeURI(this.#value),
      Buffer.from(this.#value).toString('base64'),
      Buffer.from(this.#value).toString('base64url'),
    ]);
    let redacted = text;
    for (const form of [...forms].sort((a, b) => b.length - a.length)) redacted = redacted.replaceAll(form, MASK);
    return redacted;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect](): string {
    return MASK;
  }
}
