import type { ConnectionFactory } from './connection-factory.js';

/**
 * `factory`, of whose connections each is observed from when it has been made until it is destroyed.
 *
 * @param observe begins that on a connection; what it returns ends it.
 */
export function observedFactory<C extends object>(
  factory: ConnectionFactory<C>,
  observe: (connection: C) => () => void,
): ConnectionFactory<C> {
  const ends = new WeakMap<C, () => void>();
  const { validate, isDirty, clean, judge } = factory;
  return {
    async create(context) {
      const connection = await factory.create(context);
      ends.set(connection, observe(connection));
      return connection;
    },
    destroy(connection, signal) {
      ends.get(connection)?.();
      return factory.destroy(connection, signal);
    },
    ...(validate && { validate: validate.bind(factory) }),
    ...(isDirty && { isDirty: isDirty.bind(factory) }),
    ...(clean && { clean: clean.bind(factory) }),
    ...(judge && { judge: judge.bind(factory) }),
  };
}
