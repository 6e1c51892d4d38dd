import { describe, expect, it } from 'vitest';
import { findDates } from './dates.ts';
import { findNumbers } from './numbers.ts';

describe('findNumbers', () => {
  const read = (text: string): unknown[] =>
    findNumbers(text).map(({ value, sign, percent, unitOfLastDigit }) => [
      value * (sign || 1),
      percent ? '%' : '',
      Number(unitOfLastDigit.toPrecision(3)),
    ]);

  it.each([
    ['18.40', [18.4, '', 0.01]],
    ['$1,234,567.8', [1234567.8, '', 0.1]],
    ['-$5', [-5, '', 1]],
    ['$-5', [-5, '', 1]],
    ['+9.0%', [9, '%', 0.1]],
    ['9 per cent', [9, '%', 1]],
    ['.5%', [0.5, '%', 0.1]],
    ['12,50', [12.5, '', 0.01]],
    ['1.2 billion', [1.2e9, '', 1e8]],
    ['3.4bn', [3.4e9, '', 1e8]],
    ['3rd', [3, '', 1]],
    ['twenty-one', [21, '', 1]],
    ['third', [3, '', 1]],
    ['a dozen', [12, '', 1]],
    ['three percent', [3, '%', 1]],
    ['one month', [1, '', 1]],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual([expected]);
  });

  it('leaves out what is no figure', () => {
    for (const text of ['S&P 500', '10-K', 'Q1', 'v1.2.3', 'one of them', 'a second', 'a third of it'])
      expect(read(text)).toEqual([]);
  });

  it('reads both ends of a range', () => {
    expect(read('32.36-45.15')).toEqual([
      [32.36, '', 0.01],
      [45.15, '', 0.01],
    ]);
  });
});

describe('findDates', () => {
  it.each([
    ['March 2010', { year: 2010, month: 3 }],
    ['Sept. 2010', { year: 2010, month: 9 }],
    ['31 March 2010', { year: 2010, month: 3, day: 31 }],
    ['March 31st, 2010', { year: 2010, month: 3, day: 31 }],
    ['2010-03-31', { year: 2010, month: 3, day: 31 }],
    ['2010-03', { year: 2010, month: 3 }],
    ['3/2010', { year: 2010, month: 3 }],
    ['Q3 2010', { year: 2010, quarter: 3 }],
    ['the third quarter of 2010', { year: 2010, quarter: 3 }],
    ['in May', { month: 5 }],
    ['since 2010', { year: 2010 }],
  ])('%s', (text, expected) => {
    expect(findDates(text).map(({ date }) => date)).toEqual([expected]);
  });

  it('leaves out prices, verbs and long numbers', () => {
    for (const text of ['$2010', 'closed at 2010', '2010.5', '12010', 'it may rise', 'May we ask?', 'they march on'])
      expect(findDates(text)).toEqual([]);
  });
});
