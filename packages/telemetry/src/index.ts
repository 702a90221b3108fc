export { createTelemetry } from './connection-telemetry.js';
export { maskLiterals } from './mask-literals.js';
export { readStatement, type StatementSubject } from './read-statement.js';
