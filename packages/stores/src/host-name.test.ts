import { describe, expect, it } from '@jest/globals';
import { hostName } from './host-name.js';

describe('hostName', () => {
  it.each([
    ['a.com', 'a.com'],
    ['A.Com', 'a.com'],
    ['a.com:8080', 'a.com'],
    ['a.com:', 'a.com'],
    ['a.com.', 'a.com'],
    ['bücher.de', 'xn--bcher-kva.de'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[2001:DB8::1]:443', '[2001:db8::1]'],
    ['under_score.com', 'under_score.com'],
  ])('writes %s as %s', (host, name) => {
    expect(hostName(host)).toBe(name);
  });

  it.each([
    '',
    ' ',
    '.',
    'a b',
    'a.com/x',
    'a.com?x',
    'a.com#x',
    'u@a.com',
    'a.com\\x',
    '%61.com',
    'a.com:99999',
    '::1',
  ])('takes "%s" for no host', (host) => {
    expect(hostName(host)).toBeUndefined();
  });

  it.each([undefined, null, 7, {}, 'x'.repeat(254)])('takes what is no text, or too long, for none (%#)', (host) => {
    expect(hostName(host)).toBeUndefined();
  });
});
