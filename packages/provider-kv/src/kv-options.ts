import { defineOptions, type OptionsOf } from '@dbmanager/core';

/** The YAML keys that `type: kv` adds to a connection. */
export const KV_OPTIONS = defineOptions({
  filepath: {
    kind: 'path',
    required: true,
    description: 'The folder of the database. It is created when missing, the folder it stands in never is.',
    examples: ['./data/sessions'],
  },
  must_exist: {
    kind: 'boolean',
    default: false,
    description: 'Fail when there is no database in the folder instead of creating one at the first open.',
  },
  sync: {
    kind: 'boolean',
    default: false,
    description:
      'Wait for the disk at each write. Without it the death of the process loses nothing, but a power cut may lose the last writes; each of them is still whole or not there.',
  },
  expiry_interval: {
    kind: 'duration',
    default: '1m',
    min: '100ms',
    zero: 'expired keys are hidden but stay on disk',
    description: 'How often keys whose time is over are removed from disk. They are hidden the moment they expire.',
  },
  compression: {
    kind: 'boolean',
    default: true,
    description: 'Compress blocks with Snappy.',
  },
  cache_size_kib: {
    kind: 'integer',
    default: 8_192,
    min: 0,
    description: 'Cache of uncompressed blocks, in KiB.',
  },
  write_buffer_size_kib: {
    kind: 'integer',
    default: 4_096,
    min: 64,
    max: 1_048_576,
    description: 'Writes kept in memory and in the log before they are sorted into a file, in KiB; up to two buffers.',
  },
  block_size_kib: {
    kind: 'integer',
    default: 4,
    min: 1,
    max: 4_096,
    description: 'Approximate uncompressed size of a block, the unit of reading from disk, in KiB.',
  },
  max_file_size_kib: {
    kind: 'integer',
    default: 2_048,
    min: 1_024,
    max: 1_048_576,
    description: 'Size at which a new file is begun, in KiB.',
  },
  max_open_files: {
    kind: 'integer',
    default: 1_000,
    min: 74,
    max: 50_000,
    description: 'Most files kept open.',
  },
});

/** Resolved options of a `type: kv` connection. */
export type KvOptions = OptionsOf<typeof KV_OPTIONS>;
