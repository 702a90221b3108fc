// node scripts/errors-doc.js: writes docs/errors.md from the table of error codes. A test holds the two together.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** docs/errors.md for a table of error codes. */
export function renderErrors(codes) {
  const rows = Object.entries(codes).map(
    ([code, { retryable, when, remedy }]) => `| \`${code}\` | ${retryable ? 'yes' : 'no'} | ${when} | ${remedy} |`,
  );
  return `# Errors

Every error that dbmanager raises is a \`DbManagerError\` with a stable \`code\`, the name of the connection
(\`connectionName\`), the YAML key to change (\`option\`) where there is one, \`retryable\`, and what caused it (\`cause\`).
Match on \`code\`; texts may change. No error holds a secret. \`instanceof DbManagerError\` works across several installed
copies of the package.

\`retryable\` is true when the same call may succeed later and this one did nothing; one error may differ from its code's
usual value. Errors of statements sent through \`native()\` or an ORM are those of the driver or the ORM, unchanged; only
borrowing the connection raises ours.

| Code | Retryable | When | What to do |
|---|---|---|---|
${rows.join('\n')}

Codes of a statement that was refused for what it says or would store (\`DBM_UNIQUE_VIOLATION\` … \`DBM_PERMISSION_DENIED\`) are
kinds of \`DBM_QUERY_FAILED\`: \`isDbManagerError(error, 'DBM_QUERY_FAILED')\` is true of them. They go by the number that the
database gives, never by its words, and have \`constraint\`, \`table\` and \`column\` where it names them.

Predicates find such an error also inside one of an application or an ORM that keeps its cause: \`isUniqueViolation\`,
\`isForeignKeyViolation\`, \`isNotNullViolation\`, \`isCheckViolation\`, \`isConstraintViolation\` (any of the four),
\`isSyntaxError\`, \`isPermissionDenied\`, \`isNotFound\`, \`isTimeout\`, \`isConnectionError\`, \`isSerializationFailure\`,
\`isDeadlock\`, \`isReadOnly\`, \`isCancelled\`, \`isRetryable\`.

\`ConfigError\` (\`DBM_CONFIG_INVALID\`) has \`problems\`, one for each broken rule. \`StartupError\` (\`DBM_STARTUP_FAILED\`) has
\`errors\`, one for each connection. \`CommitUnknownError\`, \`NotSqlDatabaseError\` and \`NotMongoDatabaseError\` are classes
of their codes.
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { ERROR_CODES } = await import('@dbmanager/core');
  writeFileSync(new URL('../docs/errors.md', import.meta.url), renderErrors(ERROR_CODES));
}
