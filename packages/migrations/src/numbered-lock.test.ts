import { describe, expect, it } from '@jest/globals';
import { lockNumber } from './numbered-lock.js';

describe('lockNumber', () => {
  // Of golang-migrate's own test, database/util_test.go.
  it.each([
    [['database_name'], 1_764_327_054],
    [['schema_name_1', 'database_name'], 2_453_313_553],
    [['schema_name_2', 'database_name'], 235_207_038],
    [['schema_name_1', 'schema_name_2', 'database_name'], 3_743_845_847],
  ])('is the one that golang-migrate makes of %j', (names, number) => {
    expect(lockNumber(names)).toBe(number);
  });
});
