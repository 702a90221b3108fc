/** Operations per second of `callers` at once, taking turns among `workers`. */
export async function throughput(
  workers: readonly (() => Promise<unknown>)[],
  operations: number,
  callers: number,
): Promise<number> {
  let left = operations;
  const startedAt = performance.now();
  const caller = async (_: unknown, index: number) => {
    const work = workers[index % workers.length] as () => Promise<unknown>;
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return operations / ((performance.now() - startedAt) / 1_000);
}
