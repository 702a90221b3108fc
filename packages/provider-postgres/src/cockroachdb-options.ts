import { defineOptions, type OptionsOf } from '@dbmanager/core';
import { PROTOCOL_OPTIONS } from './postgres-options.js';

/** The keys that a CockroachDB connection adds to those of every connection. */
export const COCKROACHDB_OPTIONS = defineOptions({
  ...PROTOCOL_OPTIONS,
  dsn: {
    ...PROTOCOL_OPTIONS.dsn,
    examples: ['postgres://app:s3cret@crdb.internal:26257/orders?sslmode=verify-full'],
  },
  host: {
    ...PROTOCOL_OPTIONS.host,
    description:
      'Host name or IP address of a node or of the load balancer, or folder of the Unix socket; several are parted by commas and tried in order, each with a port of its own if it needs one.',
    examples: ['localhost', 'crdb.internal', 'node1.internal,node2.internal:26258'],
  },
  port: { ...PROTOCOL_OPTIONS.port, default: 26_257 },
  database: { kind: 'string', default: 'defaultdb', description: 'Database to open.' },
  application_name: {
    ...PROTOCOL_OPTIONS.application_name,
    description: 'What the console of the cluster shows. Left out: `dbmanager:` and the name of the connection.',
  },
  cluster: {
    kind: 'string',
    description:
      'Which cluster is meant where one address serves several: the routing id, sent as `--cluster`. Newer clusters have it in the host name.',
    examples: ['funny-skunk-123'],
  },
});

/** Resolved options of a CockroachDB connection, without those that every connection has. */
export type CockroachdbOptions = OptionsOf<typeof COCKROACHDB_OPTIONS>;
