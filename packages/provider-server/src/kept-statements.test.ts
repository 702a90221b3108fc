import { describe, expect, it } from '@jest/globals';
import { KeptStatements } from './kept-statements.js';

const one = { name: 'one' };
const other = { name: 'other' };
const texts = (of: KeptStatements<object>, connection: object) => of.takeUnwanted(connection).map(({ sql }) => sql);

describe('KeptStatements', () => {
  it('knows a statement again on its connection, by a number that no other has there', () => {
    const kept = new KeptStatements(2);
    expect(kept.keep(one, 'a').number).toBe(1);
    expect(kept.keep(one, 'b').number).toBe(2);
    expect(kept.keep(one, 'a').number).toBe(1);
    expect(kept.keep(other, 'b').number).toBe(1);
    expect([kept.peek(one, 'a')?.uses, kept.peek(one, 'b')?.uses]).toEqual([2, 1]);
    expect([kept.peek(one, 'c'), kept.peek({}, 'a')]).toEqual([undefined, undefined]);
  });

  it('gives up the one that was not used for longest', () => {
    const kept = new KeptStatements(2);
    for (const sql of ['a', 'b', 'a', 'c']) kept.keep(one, sql);
    expect(texts(kept, one)).toEqual(['b']);
    expect(kept.keep(one, 'b').number).toBe(4);
    expect(texts(kept, one)).toEqual(['a']);
  });

  it('has what is forgotten freed once on every connection that keeps it', () => {
    const kept = new KeptStatements(9);
    for (const connection of [one, other]) for (const sql of ['a', 'b']) kept.keep(connection, sql);
    kept.forget('a');
    expect(texts(kept, one)).toEqual(['a']);
    expect(texts(kept, one)).toEqual([]);
    expect(kept.peek(other, 'a')).toBeUndefined();
    expect(kept.keep(other, 'a').number).toBe(3);
    expect(texts(kept, other)).toEqual(['a']);
    expect(kept.peek(other, 'a')).toBeDefined();
    expect(texts(kept, {})).toEqual([]);
  });

  it('has what one connection forgets freed on that alone', () => {
    const kept = new KeptStatements(9);
    for (const connection of [one, other]) kept.keep(connection, 'a');
    kept.forgetOn(one, 'a');
    kept.forgetOn({}, 'a');
    expect(texts(kept, one)).toEqual(['a']);
    expect(texts(kept, other)).toEqual([]);
  });

  it('does not take one that was kept since for the one that was forgotten', () => {
    const kept = new KeptStatements(9);
    kept.keep(one, 'a');
    kept.forget('a');
    kept.forget('b');
    expect(texts(kept, one)).toEqual(['a']);
    kept.keep(one, 'a');
    kept.forget('b');
    expect(texts(kept, one)).toEqual([]);
  });

  it('gives everything up where so much was forgotten meanwhile that it is not known any more', () => {
    const kept = new KeptStatements(9);
    for (const sql of ['a', 'b']) kept.keep(one, sql);
    kept.forget('a');
    for (let n = 0; n < 1_000; n++) kept.forget(`other ${n}`);
    expect(texts(kept, one)).toEqual(['a', 'b']);
    kept.keep(one, 'c');
    kept.forget('d');
    expect(texts(kept, one)).toEqual([]);
  });
});
