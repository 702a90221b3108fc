export * from './endpoints.js';
export * from './health-report.js';
export * from './health-server.js';
export * from './request-listener.js';
export * from './statements-report.js';
