import { describe, expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import { countSteps } from '../recipe/predict.ts';
import { scheduleSteps } from './schedule.ts';

const base = { epochs: 1, maxSteps: null, rowsPerStep: 16, groupByLength: false, seed: 42 };
const inOrder = (rows: number) => ({ order: Array.from({ length: rows }, (_, row) => row), tokens: [] });
const schedule = (rows: number, more: Partial<Parameters<typeof scheduleSteps>[1]> = {}): (readonly number[])[] => [
  ...scheduleSteps(inOrder(rows), { ...base, ...more }),
];

describe('each pass', () => {
  test('holds every row once, in steps of rowsPerStep and one rest', () => {
    const steps = schedule(100, { epochs: 3 });
    expect(steps.map((rows) => rows.length)).toEqual([0, 1, 2].flatMap(() => [16, 16, 16, 16, 16, 16, 4]));
    for (const pass of [0, 1, 2]) {
      const rows = steps.slice(pass * 7, pass * 7 + 7).flat();
      expect(rows.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, row) => row));
    }
  });

  test('has an order of its own, which more epochs do not change', () => {
    const [one, two] = [schedule(50), schedule(50, { epochs: 2 })];
    expect(two.slice(0, one.length)).toEqual(one);
    expect(two.slice(one.length)).not.toEqual(one);
  });
});

test('the order is a function of the seed', () => {
  expect(schedule(200)).toEqual(schedule(200));
  expect(schedule(200, { seed: 43 })).not.toEqual(schedule(200));
});

test('every row is as likely to come first as any other', () => {
  const firsts = new Array<number>(8).fill(0);
  for (let seed = 0; seed < 1600; seed++) {
    const first = schedule(8, { seed })[0]?.[0] ?? 0;
    firsts[first] = (firsts[first] ?? 0) + 1;
  }
  for (const count of firsts) expect(Math.abs(count - 200)).toBeLessThan(4 * Math.sqrt(1600 * (1 / 8) * (7 / 8)));
});

test('a part of a pass is its first rows', () => {
  const half = schedule(100, { epochs: 1.5 });
  expect(half.flat()).toHaveLength(150);
  expect(half.slice(7).flat()).toEqual(schedule(100, { epochs: 2 }).slice(7).flat().slice(0, 50));
  expect(schedule(30, { epochs: 0.1 }).flat()).toHaveLength(3);
});

test('groupByLength brings rows of like length into one step, each row still once a pass (seeded)', () => {
  for (let seed = 0; seed < 30; seed++) {
    const random = randomStream(streamKey(8, seed));
    const tokens = Array.from({ length: 20 + random.below(3000) }, () => 1 + random.below(500));
    const rows = { order: tokens.map((_, row) => row), tokens };
    const spread = (steps: (readonly number[])[]): number =>
      steps.reduce((sum, step) => {
        const sizes = step.map((row) => tokens[row] ?? 0);
        return sum + Math.max(...sizes) - Math.min(...sizes);
      }, 0);
    const [grouped, plain] = [true, false].map((groupByLength) => [
      ...scheduleSteps(rows, { ...base, seed, groupByLength }),
    ]) as [(readonly number[])[], (readonly number[])[]];
    expect(grouped.map((step) => step.length)).toEqual(plain.map((step) => step.length));
    expect(grouped.flat().toSorted((a, b) => a - b)).toEqual(rows.order);
    if (tokens.length > 64) expect(spread(grouped)).toBeLessThan(spread(plain) / 2);
  }
});

test('maxSteps ends it', () => {
  expect(schedule(100, { maxSteps: 9, epochs: 5 })).toEqual(schedule(100, { epochs: 5 }).slice(0, 9));
});

test('has as many steps as the plan predicts (seeded)', () => {
  const random = randomStream(streamKey(9));
  for (let trial = 0; trial < 500; trial++) {
    const rows = random.below(300);
    const values = {
      epochs: (1 + random.below(40)) / 10,
      rowsPerStep: 1 + random.below(40),
      maxSteps: random.below(3) === 0 ? 1 + random.below(30) : null,
    };
    expect(schedule(rows, values)).toHaveLength(countSteps(rows, values));
  }
});
