/** A callback as Node has them: an error, or null and the result. */
export type Callback<T = void> = (error: Error | null, result?: T) => void;

/**
 * Tells a callback what became of `work`, outside of its promise: what the callback throws is the error of nobody's promise, but an
 * uncaught exception as that of any callback.
 */
export function callBack<T>(work: Promise<T>, callback: Callback<T>): void {
  work.then(
    (result) => process.nextTick(callback, null, result),
    (error: Error) => process.nextTick(callback, error),
  );
}
