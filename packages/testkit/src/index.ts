export * from './delay.js';
export * from './fake-clock.js';
export * from './fake-connection.js';
export * from './fake-database.js';
export * from './fake-provider.js';
export * from './fake-session.js';
