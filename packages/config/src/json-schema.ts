import {
  CONNECTION_OPTIONS,
  type ConnectionType,
  GLOBAL_OPTIONS,
  type OptionSpec,
  type OptionTable,
  ROOT_OPTIONS,
  SECRET_FILE_SUFFIX,
} from '@dbmanager/core';
import { SECTION } from './config-document.js';

type Schema = Readonly<Record<string, unknown>>;

/** Scalars that YAML may type otherwise are read as the text they were written as. */
const TEXT: Schema = { type: ['string', 'number', 'boolean'] };
/** A value that only the environment or a file has. */
const SUBSTITUTION: Schema = { $ref: '#/$defs/substitution' };
const DURATION: Schema = { $ref: '#/$defs/duration' };
const DURATION_TERM = '(?:[0-9]+(?:\\.[0-9]*)?|\\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h)';

/**
 * The JSON Schema (2020-12) of the configuration file, for editors and other tools: descriptions, defaults, examples,
 * enums and, by `type`, the keys that each connection may have. Built from the same tables as validation; rules between
 * keys, and what is substituted, only validation knows. It keeps to keywords of draft 7 besides `$defs`, as editors do.
 */
export function jsonSchema(types: readonly ConnectionType[]): object {
  const ordered = types.toSorted((a, b) => (a.type < b.type ? -1 : 1));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'dbmanager configuration',
    description: 'Named database connections. Other top-level keys belong to other programs.',
    type: 'object',
    required: [SECTION],
    properties: {
      [SECTION]: {
        description: 'Connections, defaults for them, and profiles.',
        ...settings({ $ref: '#/$defs/connection' }, { profiles: profiles() }),
      },
    },
    $defs: {
      substitution: {
        description: 'A value from the environment or a file.',
        type: 'string',
        pattern: '\\$\\{[^}]+\\}',
        examples: [`\${VAR}`, `\${VAR:-default}`, `\${file:/run/secrets/name}`],
      },
      duration: {
        description: 'A duration as Go writes it.',
        type: 'string',
        pattern: `^(?:0|(?:${DURATION_TERM})+)$`,
        examples: ['500ms', '1m30s', '2h'],
      },
      common: {
        description: 'Keys that do not depend on the type.',
        type: 'object',
        properties: propertiesOf({ ...ROOT_OPTIONS, ...CONNECTION_OPTIONS }),
      },
      connection: connection(ordered),
      partialConnection: partialConnection(ordered),
      ...Object.fromEntries(ordered.map((type) => [typeName(type), typeSchema(type)])),
    },
  };
}

/** The section, or a profile of it. */
function settings(connectionSchema: Schema, further: Schema = {}): Schema {
  return {
    type: 'object',
    properties: {
      ...references({ ...ROOT_OPTIONS, ...GLOBAL_OPTIONS }),
      connections: {
        description: 'Connections by name.',
        type: 'object',
        propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$' },
        additionalProperties: connectionSchema,
      },
      ...further,
    },
    additionalProperties: false,
  };
}

function profiles(): Schema {
  return {
    description:
      'Variants by name, chosen by the option `profile` or by DBMANAGER_PROFILE; each overrides keys at the same place.',
    type: 'object',
    additionalProperties: settings({ $ref: '#/$defs/partialConnection' }),
  };
}

function connection(types: readonly ConnectionType[]): Schema {
  return {
    description: 'One database.',
    type: 'object',
    required: ['type'],
    properties: { type: typeProperty(types) },
    allOf: types.map((type) => ({
      if: { required: ['type'], properties: { type: { enum: namesOf(type) } } },
      // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
      then: { $ref: `#/$defs/${typeName(type)}` },
    })),
  };
}

/** A connection in a profile may leave out its type, so any key of any type may stand there. */
function partialConnection(types: readonly ConnectionType[]): Schema {
  const bySpelling = new Map<string, Schema[]>();
  for (const type of types) {
    for (const key of Object.keys(propertiesOf(type.options))) {
      const schemas = bySpelling.get(key) ?? [];
      bySpelling.set(key, [...schemas, { $ref: `#/$defs/${typeName(type)}/properties/${key}` }]);
    }
  }
  const own = [...bySpelling].map(([key, schemas]) => [key, schemas.length === 1 ? schemas[0] : { anyOf: schemas }]);
  return {
    description: 'What a profile changes of a connection, or a connection that only the profile has.',
    type: 'object',
    properties: { type: typeProperty(types), ...Object.fromEntries(own), ...references(CONNECTION_OPTIONS) },
    additionalProperties: false,
  };
}

function typeProperty(types: readonly ConnectionType[]): Schema {
  return { description: 'Which database it is.', anyOf: [{ enum: types.flatMap(namesOf) }, SUBSTITUTION] };
}

function namesOf({ type, aliases = [] }: ConnectionType): string[] {
  return [type, ...aliases];
}

function typeName({ type }: ConnectionType): string {
  return `${type}Connection`;
}

function typeSchema({ options, type }: ConnectionType): Schema {
  const keys = Object.entries(options);
  const required = keys.filter(([, spec]) => spec.required === true).map(([key]) => key);
  const secrets = keys.filter(([, { kind }]) => kind === 'secret').map(([key]) => key);
  return {
    description: `A connection of type ${type}.`,
    type: 'object',
    properties: {
      type: true,
      name: { ...TEXT, description: 'Same as the key; may be left out.' },
      ...propertiesOf(options),
      ...references(CONNECTION_OPTIONS),
    },
    required,
    ...(secrets.length === 0
      ? {}
      : { allOf: secrets.map((key) => ({ not: { required: [key, key + SECRET_FILE_SUFFIX] } })) }),
    additionalProperties: false,
  };
}

function references(table: OptionTable): Schema {
  return Object.fromEntries(Object.keys(table).map((key) => [key, { $ref: `#/$defs/common/properties/${key}` }]));
}

function propertiesOf(table: OptionTable): Schema {
  return Object.fromEntries(Object.entries(table).flatMap(([key, spec]) => propertyOf(key, spec)));
}

function propertyOf(key: string, spec: OptionSpec): [string, Schema][] {
  const zero = spec.zero === undefined ? '' : ` 0: ${spec.zero}.`;
  const property: Schema = {
    description: `${spec.description}${zero}`,
    ...('default' in spec && spec.default !== undefined ? { default: spec.default } : {}),
    ...(spec.examples === undefined ? {} : { examples: spec.examples }),
    ...valueSchema(spec),
  };
  if (spec.kind !== 'secret') return [[key, property]];
  const fileKey = key + SECRET_FILE_SUFFIX;
  return [
    [key, property],
    [fileKey, { description: `File to read ${key} from; one newline at its end is left out.`, ...TEXT }],
  ];
}

function valueSchema(spec: OptionSpec): Schema {
  switch (spec.kind) {
    case 'integer': {
      const { min, max } = spec;
      const bounds = { ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) };
      return { anyOf: [{ type: 'integer', ...bounds }, SUBSTITUTION] };
    }
    case 'boolean':
      return { anyOf: [{ type: 'boolean' }, SUBSTITUTION] };
    case 'duration': {
      const zero = spec.zero === undefined && spec.min !== undefined ? [] : [{ const: 0 }];
      return { anyOf: [DURATION, ...zero, SUBSTITUTION] };
    }
    case 'enum':
      return { anyOf: [{ enum: spec.values }, SUBSTITUTION] };
    case 'string-list':
      return { type: 'array', items: TEXT };
    case 'string-map':
      return { type: 'object', additionalProperties: TEXT };
    default:
      return TEXT;
  }
}
