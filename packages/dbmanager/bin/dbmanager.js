#!/usr/bin/env node

const [major, minor] = process.versions.node.split('.').map(Number);

// Imported only then: an older Node would fail with an error that does not say why.
if (major > 22 || (major === 22 && minor >= 17)) {
  const { main } = await import('../dist/cli.js');
  await main();
} else {
  process.stderr.write(`dbmanager needs Node 22.17 or newer; this is ${process.versions.node}\n`);
  process.exitCode = 1;
}
