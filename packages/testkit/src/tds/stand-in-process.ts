/**
 * The process of a SQL Server stand-in. Arguments: the file with its {@link ServerSettings} as JSON. Writes a line to
 * `ready` in its folder when it takes connections; ends on SIGTERM, with a word to its clients.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { selfSignedCertificate } from '../certificate.js';
import { Connection, type ConnectionSetup } from './connection.js';
import type { OpenSqlite } from './engine/database.js';
import { StandInServer } from './engine/server.js';
import type { ServerSettings } from './server-settings.js';

/** The first byte of a client that begins with TLS: encrypt `strict`, TDS 8.0. */
const TLS_HANDSHAKE = 0x16;

const [, , settingsFile = ''] = process.argv;
const settings = JSON.parse(readFileSync(settingsFile, 'utf8')) as ServerSettings;
const { default: Sqlite } = await import('better-sqlite3');
const { key, certificate } = settings.tls ?? selfSignedCertificate('SQL Server stand-in');
const secureContext = createSecureContext({ key, cert: certificate });
const server = new StandInServer(settings.folder, settings.password, Sqlite as OpenSqlite, stop);
const setup: ConnectionSetup = { server, encryption: settings.encryption, secureContext };

const listener = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.once('data', (first: Buffer) => {
    socket.pause();
    const isTls = first[0] === TLS_HANDSHAKE && settings.encryption !== 'unsupported';
    const connection = new Connection(isTls ? secured(socket) : socket, setup);
    void connection;
    socket.unshift(first);
    socket.resume();
  });
});

function secured(socket: Socket): TLSSocket {
  return new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['tds/8.0'] });
}

function stop(): void {
  listener.close();
  server.endAll();
  // What has been told is on its way; nothing else is waited for.
  setImmediate(() => process.exit(0));
}

process.on('SIGTERM', stop);
listener.listen(settings.port, settings.host, () => writeFileSync(join(settings.folder, 'ready'), String(process.pid)));
