/**
 * Names of the statements in files, each with the values of its parameters. Empty until the file that `dbmanager sql types` writes
 * fills it; from then on `connection.sql()` takes these names and values alone.
 */
// biome-ignore lint/suspicious/noEmptyInterface: generated files fill it
export interface SqlQueries {}
