/** An error and those it was made from: `cause`, `driverError` (TypeORM), `previous` (MikroORM), `errors`. */
export function* errorChain(error: unknown, seen = new Set<unknown>()): Generator<unknown> {
  if (typeof error !== 'object' || error === null || seen.has(error)) return;
  seen.add(error);
  yield error;
  const { cause, driverError, previous, errors } = error as Record<string, unknown>;
  for (const inner of [cause, driverError, previous, ...(Array.isArray(errors) ? errors : [])]) {
    yield* errorChain(inner, seen);
  }
}
