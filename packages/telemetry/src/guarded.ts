/** One is enough: what fails for one statement fails for all of them. */
let warned = false;

/**
 * What `tell` gives; undefined when it throws. The application's logger and its OpenTelemetry SDK are called between a statement and
 * its outcome, and what they throw must not become that, of a COMMIT least of all. The first time it is a warning of the process.
 */
export function guarded<T>(tell: () => T): T | undefined {
  try {
    return tell();
  } catch (error) {
    if (!warned) process.emitWarning(error instanceof Error ? error : String(error));
    warned = true;
    return undefined;
  }
}
