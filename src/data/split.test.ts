import { describe, expect, test } from 'vitest';
import { fingerprint } from '../core/fingerprint.ts';
import { rowNotes } from './row-notes.ts';
import { columnValue, oneRowShare, rowSplitter, splitFraction, splitWatch } from './split.ts';

const notes = () => rowNotes({ file: 'rows.jsonl', line: 1 });
const none = { by: null, heldOut: null, share: null };
const ids = Array.from({ length: 4000 }, (_, index) => fingerprint(index));

describe('a share of rows', () => {
  const sides = (share: number) => ids.map((id) => rowSplitter({ ...none, share }).sideOf({}, id, notes())?.side);

  test('is held out, to within chance', () => {
    const heldOut = sides(0.1).filter((side) => side === 'heldout').length;
    // Four standard deviations of a binomial with 4000 draws.
    expect(Math.abs(heldOut - 400)).toBeLessThan(4 * Math.sqrt(4000 * 0.1 * 0.9));
  });

  test('grows without taking a row back', () => {
    const small = sides(0.05);
    const large = sides(0.2);
    for (const [index, side] of small.entries()) if (side === 'heldout') expect(large[index]).toBe('heldout');
  });

  test('of nothing and of everything', () => {
    expect(new Set(sides(0))).toEqual(new Set(['train']));
    expect(new Set(sides(1))).toEqual(new Set(['heldout']));
  });
});

describe('a column', () => {
  test('that a row lacks is read from its facts, so that feedback on what is held out stays held out', () => {
    const splitter = rowSplitter({ ...none, by: 'symbol', heldOut: ['AAPL'] });
    const sideOf = (row: Parameters<typeof splitter.sideOf>[0]) => splitter.sideOf(row, 'id', notes());
    expect(sideOf({ facts: { symbol: 'AAPL' } })).toEqual({ side: 'heldout', value: 'AAPL' });
    expect(sideOf({ facts: { symbol: 'IBM' } })).toEqual({ side: 'train', value: 'IBM' });
    expect(sideOf({ symbol: 'IBM', facts: { symbol: 'AAPL' } })?.side).toBe('train');
    expect(sideOf({ facts: {} })).toBeNull();
  });

  test('keeps all rows of one value on one side', () => {
    const splitter = rowSplitter({ ...none, by: 'facts.symbol', share: 0.3 });
    const sides = new Map<number, Set<unknown>>();
    for (const [index, id] of ids.entries()) {
      const symbol = index % 50;
      const seen = sides.get(symbol) ?? new Set();
      sides.set(symbol, seen.add(splitter.sideOf({ facts: { symbol } }, id, notes())?.side));
    }
    expect([...sides.values()].every((seen) => seen.size === 1)).toBe(true);
    expect(new Set([...sides.values()].map((seen) => [...seen][0]))).toEqual(new Set(['train', 'heldout']));
  });

  test('holds out the values named, whatever their type', () => {
    const splitter = rowSplitter({ ...none, by: 'year', heldOut: ['2010', 'x'] });
    expect(
      [{ year: 2010 }, { year: '2010' }, { year: 'x' }, { year: 2011 }].map((row) => splitter.sideOf(row, '', notes())),
    ).toEqual([
      { side: 'heldout', value: '2010' },
      { side: 'heldout', value: '2010' },
      { side: 'heldout', value: 'x' },
      { side: 'train', value: '2011' },
    ]);
    const watch = splitWatch({ ...none, by: 'year', heldOut: ['2010', 'x'] });
    for (const value of ['x', '2011', '2010']) watch.saw(value);
    expect(() => watch.finish()).not.toThrow();
  });

  test('whose value never comes is an error: nothing would be held out', () => {
    const watch = splitWatch({ ...none, by: 'symbol', heldOut: ['APPL'] });
    for (const symbol of ['AAPL', 'MSFT']) watch.saw(symbol);
    expect(() => watch.finish()).toThrow(
      expect.objectContaining({ code: 'split-value-unknown', hint: expect.stringContaining('AAPL') }),
    );
  });

  test('that a row lacks makes it invalid and names the nearest', () => {
    const held = notes();
    expect(rowSplitter({ ...none, by: 'symbol', share: 0.5 }).sideOf({ simbol: 'A' }, '', held)).toBeNull();
    expect(held.issues[0]).toMatchObject({ code: 'split-column-missing', fix: expect.stringContaining('simbol') });
  });

  test('reaches inside by dots, and a name with dots comes first', () => {
    expect(columnValue({ a: { b: { c: 3 } } }, 'a.b.c')).toBe(3);
    expect(columnValue({ a: { b: 1 }, 'a.b': 2 }, 'a.b')).toBe(2);
    expect(columnValue({ a: [1] }, 'a.length')).toBeUndefined();
    expect(columnValue({ a: {} }, 'a.constructor')).toBeUndefined();
  });
});

test('a share for one row holds out the lowest alone, with as few decimals as that takes', () => {
  expect(oneRowShare([0.31, 0.07, 0.9])).toBe(0.08);
  expect(oneRowShare([0.07, 0.0712, 0.9])).toBe(0.071);
  expect(oneRowShare([0, 0.5])).toBe(0.01);
  expect(oneRowShare([0.995, 0.9951])).toBe(0.9951);
  expect(oneRowShare([0.3])).toBeUndefined();
  const fractions = Array.from({ length: 200 }, (_, index) => splitFraction(`row ${index}`));
  const share = oneRowShare(fractions) ?? 0;
  expect(fractions.filter((fraction) => fraction < share)).toHaveLength(1);
});
