/** Runs `work` on a connection; when the signal aborts, `destroy` ends the connection, and `work` rejects with it. */
export async function bounded(signal: AbortSignal, destroy: () => void, work: () => Promise<unknown>): Promise<void> {
  if (signal.aborted) destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    await work();
  } finally {
    signal.removeEventListener('abort', destroy);
  }
}
