import type { SqlEngine } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { NamedSql } from './named-sql.js';
import { sql } from './sql-template.js';
import { StatementTexts } from './statement-text.js';

const ENGINE = { placeholders: 'numbered', quoteIdentifier: (name: string) => `"${name}"` } as SqlEngine<unknown>;
const render = (statement: NamedSql) => new StatementTexts(ENGINE).statement(statement, undefined, 'main');

describe('NamedSql', () => {
  it('is rewritten by name, each parameter once', () => {
    expect(render(new NamedSql('select :a, :b, :a', { a: 1, b: 2 }, 'x'))).toEqual({
      sql: 'select $1, $2, $1',
      params: [1, 2],
    });
  });

  it('leaves a question mark alone that is an operator', () => {
    expect(render(new NamedSql("select tags ? 'a'", {}, 'x'))).toEqual({ sql: "select tags ? 'a'", params: [] });
  });

  it.each([
    [{}, 'users/by-id: no value was given for :id'],
    [{ id: 1, name: 'ann' }, 'users/by-id: the statement has no :name'],
  ])('says its name when the values are %j', (values, message) => {
    expect(() => render(new NamedSql('select :id', values, 'users/by-id'))).toThrow(message);
  });

  it('is refused as a part of a template, where it would become a value', () => {
    const template = sql`select * from (${new NamedSql('select 1', {}, 'users/all')}) as u`;
    expect(() => template.render(ENGINE)).toThrow('users/all is a statement of its own');
  });
});
