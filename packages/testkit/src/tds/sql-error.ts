/** What the server tells about a statement: an error from severity 11 on, below that a remark. */
export interface SqlMessage {
  readonly number: number;
  readonly severity: number;
  readonly state: number;
  readonly text: string;
  readonly line?: number | undefined;
  readonly procedure?: string | undefined;
}

/** What an error ends besides its statement: the batch, and whether the transaction goes with it, whatever XACT_ABORT says. */
export type ErrorReach = 'statement' | 'batch' | 'transaction';

/** An error of the engine, with number, severity and wording as SQL Server has them. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly number: number;
  readonly severity: number;
  readonly state: number;
  readonly reach: ErrorReach;

  constructor(
    number: number,
    text: string,
    { severity = 16, state = 1, reach = 'statement' }: { severity?: number; state?: number; reach?: ErrorReach } = {},
  ) {
    super(text);
    this.number = number;
    this.severity = severity;
    this.state = state;
    this.reach = reach;
  }

  /** From this severity on the server closes the connection. */
  get closes(): boolean {
    return this.severity >= 20;
  }

  get sqlMessage(): SqlMessage {
    return { number: this.number, severity: this.severity, state: this.state, text: this.message };
  }
}
