// Tests of an application: its configuration on SQLite in memory, each test rolled back; a mock; and a COMMIT that fails.
// The application is shop.ts, its tests are orders.ts; this runs them and tells how they ended.
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

const tests = run({ files: [fileURLToPath(new URL('./orders.ts', import.meta.url))], isolation: 'none' });
for await (const { type, data } of tests) {
  if (type === 'test:pass' && data.details.type !== 'suite') console.log('passed:', data.name);
  if (type === 'test:fail') {
    console.log('failed:', data.name, data.details.error.cause);
    process.exitCode = 1;
  }
}
