import { describe, expect, it } from '@jest/globals';
import { HandleCache } from './handle-cache.js';

describe('the handles of a connection', () => {
  it('are the same for the same key, and refused with other options', () => {
    const cache = new HandleCache('main');
    const handle = cache.get('orm', 'default', { a: [1] }, () => ({}));
    expect(cache.get('orm', 'default', { a: [1] }, () => ({}))).toBe(handle);
    expect(cache.get('orm', 'default', undefined, () => ({}))).toBe(handle);
    expect(cache.get('orm', 'other', undefined, () => ({}))).not.toBe(handle);
    expect(() => cache.get('orm', 'default', { a: [2] }, () => ({}))).toThrow('other options');
  });

  it('are known as opened with their options, and one that opens asynchronously once it is there', async () => {
    const cache = new HandleCache('main');
    expect(cache.opened('orm', 'default')).toBeUndefined();
    cache.get('orm', 'default', { a: 1 }, () => 'now');
    expect(cache.opened('orm', 'default')).toEqual({ handle: 'now', options: { a: 1 } });
    const later = cache.get('orm', 'later', undefined, () => Promise.resolve('then'));
    expect(cache.opened('orm', 'later')).toEqual({ handle: undefined, options: undefined });
    await later;
    expect(cache.opened('orm', 'later')).toEqual({ handle: 'then', options: undefined });
  });

  it('are not kept when they could not be opened', async () => {
    const cache = new HandleCache('main');
    const failing = cache.get('orm', 'default', undefined, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(cache.opened('orm', 'default')).toBeUndefined();
    expect(cache.get('orm', 'default', undefined, () => 'again')).toBe('again');
  });
});
