import { suggestion } from './config/nearest.js';
import { DbManagerError } from './errors.js';

/**
 * The names of the options that one kind of call takes. Any other is a mistake, after which the call would do without what was
 * meant: `{ timeoutt: 5 }` has no limit.
 */
export class KnownOptions<O extends object> {
  readonly #of: string;
  readonly #names: ReadonlySet<string>;

  /**
   * @param of what takes them, for messages: `a statement`
   * @param names each option there is
   */
  constructor(of: string, names: { readonly [N in keyof Required<O>]: true }) {
    this.#of = of;
    this.#names = new Set(Object.keys(names));
  }

  /**
   * Throws `DBM_INVALID_OPTION` for what is no object, for a name that is not among them, and for a `signal` that is no
   * AbortSignal; what else there is to say of a value is the caller's to say. It is done for every statement that is given
   * options, so it allocates nothing while all is well.
   */
  check(options: object, connectionName: string | undefined): void {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw invalid('options', `the options of ${this.#of} are an object`, connectionName);
    }
    for (const name in options) if (!this.#names.has(name)) throw this.#unknown(name, connectionName);
    const { signal }: { readonly signal?: unknown } = options;
    if (signal !== undefined) checkSignal(signal, connectionName);
  }

  #unknown(name: string, connectionName: string | undefined): DbManagerError {
    const names = [...this.#names].join(', ');
    const near = suggestion(name, this.#names);
    return invalid(name, `${this.#of} has no option "${name}", only ${names}${near}`, connectionName);
  }
}

/** Throws `DBM_INVALID_OPTION` for what is no AbortSignal: nothing would ever abort with it. */
export function checkSignal(signal: unknown, connectionName: string | undefined): asserts signal is AbortSignal {
  if (signal instanceof AbortSignal) return;
  // Callers without types give the controller itself.
  throw invalid('signal', 'signal must be an AbortSignal: of a controller, its `signal`', connectionName);
}

function invalid(option: string, message: string, connectionName: string | undefined): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
}
