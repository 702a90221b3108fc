/** The service that is moved. Its callers know this and no ORM. */
export interface Billing {
  /** Adds a customer and resolves to its id. */
  register(name: string): Promise<number>;
  /** Writes an invoice, and what the customer owes by it. Rejects, and writes nothing, beyond {@link CREDIT}. */
  bill(customer: number, amount: number): Promise<void>;
  /** `Ada owes 70: 40 + 30` */
  statement(customer: number): Promise<string>;
}

/** Nobody may owe more. */
export const CREDIT = 100;

/** Throws when that is too much. */
export function assertCredit({ name, owes }: { readonly name: string; readonly owes: number }): void {
  if (owes > CREDIT) throw new Error(`${name} may not owe ${owes}`);
}

export function statementOf(
  { name, owes }: { readonly name: string; readonly owes: number },
  invoices: readonly { readonly amount: number }[],
): string {
  return `${name} owes ${owes}: ${invoices.map(({ amount }) => amount).join(' + ')}`;
}
