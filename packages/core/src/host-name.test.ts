import { describe, expect, it } from '@jest/globals';
import { hostName } from './host-name.js';

describe('the name of a host', () => {
  it.each([
    ['Shop.Example', 'shop.example'],
    ['shop.example:8443', 'shop.example'],
    ['shop.example:', 'shop.example'],
    ['shop.example.', 'shop.example'],
    ['shop.example.:80', 'shop.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['BÜCHER.example', 'xn--bcher-kva.example'],
    ['my_shop.example', 'my_shop.example'],
    ['localhost', 'localhost'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[::1]:80', '[::1]'],
    ['[2001:DB8:0::1]', '[2001:db8::1]'],
    [`${'a.'.repeat(126)}a:65535`, `${'a.'.repeat(126)}a`],
  ])('in %j is %j', (host, name) => {
    expect(hostName(host)).toBe(name);
  });

  it.each([
    [''],
    [' '],
    ['.'],
    [':80'],
    ['a..example'],
    ['-a.example'],
    ['a-.example'],
    ['*.example'],
    ['a.example:123456'],
    ['a.example:99999'],
    ['a.example:80:80'],
    ['a.example:http'],
    ['a b'],
    ["a.example' or '1'='1"],
    ["a.example'--"],
    ['a.example/../admin'],
    ['a.example?x'],
    ['a.example#x'],
    ['a.example\\x'],
    ['%61.example'],
    ['user@a.example'],
    ['a.example, b.example'],
    // The parser of URLs would leave these away.
    ['a.example\u0000'],
    ['\u0001a.example'],
    ['a.ex\tample'],
    ['a.example\r\nHost: b.example'],
    ['::1'],
    ['[::1'],
    ['[::1%eth0]'],
    ['[not-an-address]'],
    [`${'a'.repeat(64)}.example`],
    [`${'a.'.repeat(127)}example`],
    ['a'.repeat(100_000)],
    [undefined],
    [null],
    [7],
    [['a.example']],
  ])('is none in %j', (host) => {
    expect(hostName(host)).toBeUndefined();
  });
});
