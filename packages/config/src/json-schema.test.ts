import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse as parseYaml } from 'yaml';
import { FILE, parse, SERVER } from '../test/fake-types.js';
import { jsonSchema } from './json-schema.js';

const validate = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false }).compile(
  jsonSchema([SERVER, FILE]),
);
const ref = (text: string) => `$\{${text}}`;

const GOOD: readonly [string, string][] = [
  ['nothing', 'dbmanager: {}'],
  ['other sections', 'dbmanager: {}\nother: [1]'],
  [
    'connections of several types',
    'dbmanager: { connections: { a: { type: srv, port: 1 }, b: { type: file, filepath: x } } }',
  ],
  [
    'keys for all',
    'dbmanager: { max_open_conns: 1, conn_max_lifetime: 0, acquire_timeout: 1m30s, enable_metrics: false }',
  ],
  [
    'substitution',
    `dbmanager:\n  connections:\n    a:\n      type: server\n      port: ${ref('PORT:-1')}\n      mode: ${ref('MODE:-hard')}`,
  ],
  [
    'text that looks like a number',
    'dbmanager: { connections: { a: { type: server, user: 5, password: 0123, tags: { t: 1 }, hosts: [1] } } }',
  ],
  [
    'a profile that changes a key',
    'dbmanager: { connections: { a: { type: server } }, profiles: { p: { max_open_conns: 3, connections: { a: { port: 2 } } } } }',
  ],
  ['the name repeated', 'dbmanager: { connections: { a: { type: server, name: a } } }'],
];

const BAD: readonly [string, string][] = [
  ['no section', 'connections: {}'],
  ['an unknown key for all', 'dbmanager: { max_open_cons: 1 }'],
  ['a key of a connection for all', 'dbmanager: { tags: {} }'],
  ['an unknown key of a connection', 'dbmanager: { connections: { a: { type: server, prt: 1 } } }'],
  ['a key of another type', 'dbmanager: { connections: { a: { type: server, filepath: x } } }'],
  ['an unknown type', 'dbmanager: { connections: { a: { type: oracle } } }'],
  ['no type', 'dbmanager: { connections: { a: { port: 1 } } }'],
  ['a missing key', 'dbmanager: { connections: { a: { type: file } } }'],
  ['a port out of range', 'dbmanager: { connections: { a: { type: server, port: 70000 } } }'],
  ['a port as text', 'dbmanager: { connections: { a: { type: server, port: "5432" } } }'],
  ['a fraction', 'dbmanager: { max_open_conns: 1.5 }'],
  ['a negative number', 'dbmanager: { max_open_conns: -1 }'],
  ['a duration without a unit', 'dbmanager: { acquire_timeout: 30 }'],
  ['a duration that is none', 'dbmanager: { acquire_timeout: soon }'],
  ['a zero that is not allowed', 'dbmanager: { acquire_timeout: 0 }'],
  ['a boolean that is none', 'dbmanager: { enable_metrics: "yes" }'],
  ['an enum value that is none', 'dbmanager: { connections: { a: { type: server, mode: medium } } }'],
  ['a secret twice', 'dbmanager: { connections: { a: { type: server, password: x, password_file: y } } }'],
  ['a bad name', 'dbmanager: { connections: { "a b": { type: server } } }'],
  ['a list for a mapping', 'dbmanager: { connections: { a: { type: server, tags: [x] } } }'],
  ['text for a list', 'dbmanager: { connections: { a: { type: server, hosts: x } } }'],
  ['an unknown key in a profile', 'dbmanager: { profiles: { p: { connections: { a: { prt: 1 } } } } }'],
];

describe('the schema', () => {
  it.each(GOOD)('accepts, as validation does: %s', (_, text) => {
    expect({ valid: validate(parseYaml(text)), errors: validate.errors }).toEqual({ valid: true, errors: null });
    expect(() => parse(text)).not.toThrow();
  });

  it.each(BAD)('refuses, as validation does: %s', (_, text) => {
    expect(validate(parseYaml(text))).toBe(false);
    expect(() => parse(text)).toThrow();
  });

  it('describes every key', () => {
    const undescribed: string[] = [];
    const visit = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [key, child] of Object.entries(value)) {
        if (key === 'if') continue;
        if (key === 'properties') {
          for (const [name, property] of Object.entries(child as object)) {
            if (property !== true && !('description' in property) && !('$ref' in property) && !('anyOf' in property)) {
              undescribed.push(`${path}.${name}`);
            }
          }
        }
        visit(child, `${path}.${key}`);
      }
    };
    visit(jsonSchema([SERVER, FILE]), '');
    expect(undescribed).toEqual([]);
  });

  it('does not depend on the order of providers, so that the file on disk is stable', () => {
    expect(JSON.stringify(jsonSchema([SERVER, FILE]))).toBe(JSON.stringify(jsonSchema([FILE, SERVER])));
  });
});
