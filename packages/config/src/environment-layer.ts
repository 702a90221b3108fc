import {
  CONNECTION_OPTIONS,
  type ConnectionType,
  connectionTable,
  findConnectionType,
  GLOBAL_OPTIONS,
  isMapping,
  keysOf,
  type PlacedProblem,
  ROOT_OPTIONS,
  suggestion,
  textOf,
} from '@dbmanager/core';
import { typePlainScalar } from './scalar-type.js';

const PREFIX = 'DBMANAGER_';
const CONNECTIONS_PREFIX = `${PREFIX}CONNECTIONS_`;

/** What the environment sets. */
export interface EnvironmentLayer {
  /** A configuration like that of a file, to be merged over it. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly problems: readonly PlacedProblem[];
  /** The variable that set the value at `path`; undefined when none did. */
  variableAt(path: readonly (string | number)[]): string | undefined;
}

/**
 * Reads `DBMANAGER_<KEY>` for global keys and `DBMANAGER_CONNECTIONS_<NAME>_<KEY>` for connections, the name in capitals
 * with `_` for everything but letters and digits. Values are typed as unquoted YAML scalars; nothing is substituted in
 * them. An empty variable counts as unset. A variable of the second form that fits no connection and key of `below`, the
 * configuration it is merged over, or more than one, is a problem.
 */
export function environmentLayer(
  env: Readonly<Record<string, string | undefined>>,
  below: unknown,
  types: readonly ConnectionType[],
): EnvironmentLayer {
  const layer = new Builder(() => connectionsOf(below, types));
  for (const [variable, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue;
    if (variable.startsWith(CONNECTIONS_PREFIX)) layer.addToConnection(variable, value);
    else if (variable.startsWith(PREFIX)) layer.addGlobal(variable, value);
  }
  return layer;
}

interface KnownConnection {
  readonly name: string;
  /** As it begins the rest of a variable's name. */
  readonly prefix: string;
  /** Undefined when the type is not known. */
  readonly type: ConnectionType | undefined;
}

function connectionsOf(config: unknown, types: readonly ConnectionType[]): readonly KnownConnection[] {
  if (!isMapping(config) || !isMapping(config.connections)) return [];
  return Object.entries(config.connections).map(([name, connection]) => ({
    name,
    prefix: `${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_`,
    type: isMapping(connection) ? findConnectionType(textOf(connection.type) ?? '', types) : undefined,
  }));
}

function keysOfConnection({ type }: KnownConnection): readonly string[] {
  return ['type', ...keysOf(type === undefined ? CONNECTION_OPTIONS : connectionTable(type))];
}

class Builder implements EnvironmentLayer {
  readonly values: Record<string, unknown> = Object.create(null);
  readonly problems: PlacedProblem[] = [];
  readonly #variables = new Map<string, string>();
  readonly #listConnections: () => readonly KnownConnection[];
  #listed: readonly KnownConnection[] | undefined;

  constructor(listConnections: () => readonly KnownConnection[]) {
    this.#listConnections = listConnections;
  }

  /** Listed when the first variable asks: most environments have none. */
  get #connections(): readonly KnownConnection[] {
    this.#listed ??= this.#listConnections();
    return this.#listed;
  }

  variableAt(path: readonly (string | number)[]): string | undefined {
    return this.#variables.get(JSON.stringify(path));
  }

  /** Other variables that begin with the prefix (`DBMANAGER_PROFILE`, an application's own) are left alone. */
  addGlobal(variable: string, value: string): void {
    const key = variable.slice(PREFIX.length).toLowerCase();
    if (key.toUpperCase() !== variable.slice(PREFIX.length)) return;
    if (Object.hasOwn(GLOBAL_OPTIONS, key) || Object.hasOwn(ROOT_OPTIONS, key)) {
      this.#set(this.values, [key], variable, value);
    }
  }

  addToConnection(variable: string, value: string): void {
    const rest = variable.slice(CONNECTIONS_PREFIX.length);
    const named = this.#connections.filter(({ prefix }) => rest.startsWith(prefix));
    const targets = named.filter((connection) =>
      keysOfConnection(connection).some((key) => rest === connection.prefix + key.toUpperCase()),
    );
    const [target] = targets;
    if (target === undefined) this.#refuse(variable, this.#noTarget(rest, named));
    else if (targets.length > 1) {
      this.#refuse(variable, `fits several connections: ${targets.map(({ name }) => name).join(', ')}; rename one`);
    } else {
      const key = rest.slice(target.prefix.length).toLowerCase();
      const connections = mappingAt(this.values, 'connections');
      this.#set(mappingAt(connections, target.name), ['connections', target.name, key], variable, value);
    }
  }

  #noTarget(rest: string, named: readonly KnownConnection[]): string {
    const [connection] = named;
    if (connection === undefined) {
      const names = this.#connections.map(({ name }) => name);
      return `names no connection; ${names.length === 0 ? 'there are none' : `there are: ${names.join(', ')}`}`;
    }
    const key = rest.slice(connection.prefix.length).toLowerCase();
    return `names no key of connection ${connection.name}${suggestion(key, keysOfConnection(connection))}`;
  }

  #set(target: Record<string, unknown>, path: readonly string[], variable: string, value: string): void {
    target[path.at(-1) as string] = typePlainScalar(value);
    this.#variables.set(JSON.stringify(path), variable);
  }

  #refuse(variable: string, message: string): void {
    this.problems.push({
      path: [],
      rule: 'unknown-variable',
      message: `the environment variable ${variable} ${message}`,
    });
  }
}

function mappingAt(parent: Record<string, unknown>, key: string): Record<string, unknown> {
  parent[key] ??= Object.create(null);
  return parent[key] as Record<string, unknown>;
}
