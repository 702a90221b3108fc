/** Rows in portions of `size`, the last of which may be smaller; ending the loop early ends that over `rows`. */
export async function* portions<R>(rows: AsyncIterable<R>, size: number): AsyncGenerator<{ rows: R[] }, void> {
  let portion: R[] = [];
  for await (const row of rows) {
    portion.push(row);
    if (portion.length < size) continue;
    yield { rows: portion };
    portion = [];
  }
  if (portion.length > 0) yield { rows: portion };
}
