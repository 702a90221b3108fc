import { describe, expect, it } from '@jest/globals';
import { parseMysqlDsn } from './mysql-dsn.js';

describe('a DSN of MySQL', () => {
  it.each([
    ['mysql://host', { host: 'host' }],
    ['mysql://u:p@h:3307/d', { user: 'u', password: 'p', host: 'h', port: '3307', database: 'd' }],
    ['mariadb://u@h/d', { user: 'u', host: 'h', database: 'd' }],
    ['jdbc:mysql://h:1/d?user=u&password=p%26', { host: 'h', port: '1', database: 'd', user: 'u', password: 'p&' }],
    ['mysql://u:p%40ss%20w%2F%27%22@h/d%2Fe', { user: 'u', password: `p@ss w/'"`, host: 'h', database: 'd/e' }],
    ['mysql://u:a:b@[::1]:3307/', { user: 'u', password: 'a:b', host: '::1', port: '3307' }],
    ['mysql://u@/d?socket=/run/mysqld.sock', { user: 'u', database: 'd', host: '/run/mysqld.sock' }],
    [
      'mysql://h/?ssl-mode=VERIFY_IDENTITY&ssl-ca=%2Fca.pem',
      { host: 'h', sslmode: 'verify-full', sslrootcert: '/ca.pem' },
    ],
    [
      'mysql://h/?sslMode=PREFERRED&charset=utf8mb4&timezone=%2B02:00',
      { host: 'h', sslmode: 'prefer', charset: 'utf8mb4', timezone: '+02:00' },
    ],
    ['u:p@tcp(h:3307)/d', { user: 'u', password: 'p', host: 'h', port: '3307', database: 'd' }],
    [
      'u:p@w/o?rd%@tcp([::1]:3306)/d?tls=skip-verify',
      { user: 'u', password: 'p@w/o?rd%', host: '::1', port: '3306', database: 'd', sslmode: 'require' },
    ],
    ['u@unix(/run/mysqld.sock)/d', { user: 'u', host: '/run/mysqld.sock', database: 'd' }],
    ['tcp(h)/?tls=true', { host: 'h', sslmode: 'verify-full' }],
  ])('reads %j', (text, expected) => {
    expect(parseMysqlDsn(text)).toEqual(expected);
  });

  it.each([
    ['postgres://u:hunter2@h/d'],
    ['hunter2'],
    ['mysql://u:hunter2%zz@h/d'],
    ['mysql://u@h/d?hunter2=1'],
    ['mysql://u@h/d?tls=hunter2'],
    ['mysql://u:hun/ter2@h/d?x'],
  ])('refuses %j without showing any of it', (text) => {
    expect(() => parseMysqlDsn(text)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'dsn' }));
    expect(() => parseMysqlDsn(text)).not.toThrow(/hunter2|ter2/);
  });
});
