import { describe, expect, it } from '@jest/globals';
import { hostName } from './host-name.js';

describe('the name in a Host header', () => {
  it.each([
    ['Shop.Example', 'shop.example'],
    ['shop.example:8443', 'shop.example'],
    ['shop.example:', 'shop.example'],
    ['shop.example.', 'shop.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['my_shop.example', 'my_shop.example'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]:80', '[::1]'],
    ['[2001:DB8::1]', '[2001:db8::1]'],
  ])('of %j is %j', (header, name) => {
    expect(hostName(header)).toBe(name);
  });

  it.each([
    [''],
    ['.'],
    [':80'],
    ['a..example'],
    ['-a.example'],
    ['a-.example'],
    ['a.example:123456'],
    ['a.example:80:80'],
    ['a.example:http'],
    ["a.example' or '1'='1"],
    ['a.example/../admin'],
    ['user@a.example'],
    ['a.example, b.example'],
    ['a.example\u0000'],
    ['bücher.example'],
    ['::1'],
    ['[::1'],
    ['[::1%eth0]'],
    ['[not-an-address]'],
    [`${'a'.repeat(64)}.example`],
    [`${'a.'.repeat(126)}example`],
    ['a'.repeat(100_000)],
  ])('is none in %j', (header) => {
    expect(hostName(header)).toBeUndefined();
  });
});
