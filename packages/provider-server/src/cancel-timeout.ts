/** How long it may take, in milliseconds, to get a request to stop a statement through. */
export const CANCEL_TIMEOUT_MS = 5_000;
