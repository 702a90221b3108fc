export { compareEngines, type SqlComparison, type SqlType } from './compare-engines.js';
export type { QueryName, QueryShapes, QueryValues } from './query-shapes.js';
export { renderQueryTypes } from './render-query-types.js';
export type { SqlFile } from './sql-file.js';
export { SqlFiles, type SqlFilesOptions } from './sql-files.js';
export { describeProblem, type SqlFileProblem, SqlFilesError } from './sql-files-error.js';
export { isUpToDate, writeTypes } from './types-file.js';
