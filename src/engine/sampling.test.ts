import { describe, expect, test } from 'vitest';
import { normal, type RandomStream, randomStream, streamKey } from '../core/random.ts';
import { likeliest, sampleToken, tokenProbabilities } from './sampling.ts';

type Cut = Parameters<typeof sampleToken>[1];

/** Logits of any size up to that of a vocabulary; some round numbers, so that there are ties. */
function drawLogits(random: RandomStream, size: number): Float32Array {
  const spread = [0, 1, 5, 20][random.below(4)] ?? 0;
  const whole = random.uniform() < 0.3;
  return Float32Array.from({ length: size }, () => {
    const value = spread * normal(random);
    return whole ? Math.round(value) : value;
  });
}

const softmax = (values: readonly number[]): number[] => {
  const highest = Math.max(...values);
  const shares = values.map((value) => Math.exp(value - highest));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => share / sum);
};

/**
 * What each token's chance is: temperature, then the k likeliest, then the fewest that hold p of what is left. Undefined
 * where rounding decides whether one more is needed.
 */
function chances(logits: Float32Array, { temperature, topK, topP }: Cut): Map<number, number> | undefined {
  const order = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  const first = topK > 0 ? order.slice(0, topK) : order;
  const shares = softmax(first.map((id) => (logits[id] ?? 0) / temperature));
  let held = 0;
  let kept = 0;
  while (kept < first.length && (kept === 0 || topP >= 1 || held < topP)) held += shares[kept++] ?? 0;
  const before = held - (shares[kept - 1] ?? 0);
  if (topP < 1 && Math.min(Math.abs(held - topP), Math.abs(before - topP)) < 1e-9) return undefined;
  return new Map(first.slice(0, kept).map((id, index) => [id, (shares[index] ?? 0) / held]));
}

const sizes = [1, 2, 7, 40, 500];
const drawCut = (random: RandomStream, size: number): Cut => ({
  temperature: [0.01, 0.3, 1, 2][random.below(4)] ?? 1,
  topK: random.uniform() < 0.5 ? 0 : 1 + random.below(size + 3),
  topP: [1, 0.95, 0.5, 0.05][random.below(4)] ?? 1,
});
/** A stream that gives one number. */
const fixed = (value: number): RandomStream => ({ next: () => value * 2 ** 32, uniform: () => value, below: () => 0 });

describe('the next token', () => {
  test('at temperature 0 is the likeliest, the lowest id on a tie, and asks for no random number', () => {
    const random = randomStream(1);
    const none: RandomStream = {
      next: () => expect.unreachable(),
      uniform: () => expect.unreachable(),
      below: () => 0,
    };
    for (let round = 0; round < 200; round++) {
      const logits = drawLogits(random, sizes[round % sizes.length] ?? 1);
      const expected = logits.indexOf(Math.max(...logits));
      expect(likeliest(logits)).toBe(expected);
      expect(sampleToken(logits, { temperature: 0, topK: random.below(9), topP: random.uniform() }, none)).toBe(
        expected,
      );
    }
  });

  test('is drawn as a plain top-k and top-p says, for every random number', () => {
    const random = randomStream(2);
    let compared = 0;
    for (let round = 0; round < 150; round++) {
      const size = sizes[round % sizes.length] ?? 1;
      const logits = drawLogits(random, size);
      const cut = drawCut(random, size);
      const expected = chances(logits, cut);
      if (expected === undefined) continue;
      compared++;
      // The number line from 0 to 1 is laid out token by token: its middle and both ends must fall on tokens that are kept.
      const drawn = new Map<number, number>();
      const points = 256;
      for (let i = 0; i < points; i++) {
        const id = sampleToken(logits, cut, fixed((i + 0.5) / points));
        drawn.set(id, (drawn.get(id) ?? 0) + 1 / points);
      }
      const said = JSON.stringify({ cut, logits: [...logits].slice(0, 40) });
      for (const [id, share] of drawn) {
        expect(expected.has(id), `token ${id} of ${said}`).toBe(true);
        expect(Math.abs(share - (expected.get(id) ?? 0)), `share of ${id} of ${said}`).toBeLessThan(1.01 / points);
      }
      for (const [id, chance] of expected)
        if (chance > 1.01 / points) expect(drawn.has(id), `${id} of ${said}`).toBe(true);
      expect(expected.has(sampleToken(logits, cut, fixed(0))), said).toBe(true);
      expect(expected.has(sampleToken(logits, cut, fixed(1 - 2 ** -32))), said).toBe(true);
    }
    expect(compared).toBeGreaterThan(140);
  });

  test('at the lowest temperatures is still the likeliest, wherever it stands', () => {
    for (const logits of [Float32Array.of(-20, 20, 0), Float32Array.of(20, 0, -20), Float32Array.of(-20, 0, 20)])
      for (const temperature of [1e-2, 1e-4, 1e-10])
        for (const cut of [
          { topK: 0, topP: 1 },
          { topK: 2, topP: 1 },
          { topK: 0, topP: 0.9 },
        ])
          for (const at of [0, 0.5, 0.999])
            expect(sampleToken(logits, { temperature, ...cut }, fixed(at))).toBe(likeliest(logits));
  });

  test('is never one that is forbidden with minus infinity', () => {
    const logits = Float32Array.of(Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, 2, Number.NEGATIVE_INFINITY);
    const random = randomStream(3);
    for (const cut of [
      { topK: 0, topP: 1 },
      { topK: 4, topP: 1 },
      { topK: 0, topP: 0.999999 },
    ])
      for (let i = 0; i < 100; i++) expect([1, 3]).toContain(sampleToken(logits, { temperature: 1, ...cut }, random));
  });

  test('repeats for a seed and differs for another', () => {
    const logits = drawLogits(randomStream(21), 500);
    const tokens = (seed: number): number[] => {
      const random = randomStream(streamKey(seed));
      return Array.from({ length: 40 }, () => sampleToken(logits, { temperature: 2, topK: 0, topP: 1 }, random));
    };
    expect(tokens(5)).toEqual(tokens(5));
    expect(tokens(5)).not.toEqual(tokens(6));
  });

  test('comes as often as it should', () => {
    const logits = Float32Array.from({ length: 16 }, (_, id) => Math.sin(id) * 2);
    const cuts: Cut[] = [
      { temperature: 1, topK: 0, topP: 1 },
      { temperature: 0.7, topK: 10, topP: 1 },
      { temperature: 1.5, topK: 0, topP: 0.8 },
    ];
    for (const [index, cut] of cuts.entries()) {
      const random = randomStream(streamKey(9, index));
      const expected = chances(logits, cut) ?? new Map<number, number>();
      const counts = new Map<number, number>();
      const draws = 20_000;
      for (let i = 0; i < draws; i++) {
        const id = sampleToken(logits, cut, random);
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      let chiSquare = 0;
      for (const [id, chance] of expected)
        chiSquare += ((counts.get(id) ?? 0) - draws * chance) ** 2 / (draws * chance);
      expect([...counts.keys()].every((id) => expected.has(id))).toBe(true);
      // Mean of the statistic: degrees of freedom; its deviation: the root of twice that.
      const freedom = expected.size - 1;
      expect(Math.abs(chiSquare - freedom), `chi-square ${chiSquare} of ${freedom}`).toBeLessThan(
        3 * Math.sqrt(2 * freedom),
      );
    }
  });
});

describe('log-probabilities', () => {
  test('are the log of softmax, of any token and the likeliest ones in falling order', () => {
    const random = randomStream(4);
    for (let round = 0; round < 200; round++) {
      const size = sizes[round % sizes.length] ?? 1;
      const logits = drawLogits(random, size);
      const shares = softmax([...logits]);
      const id = random.below(size);
      const top = random.below(Math.min(size, 20) + 1);
      const { logProbability, top: listed } = tokenProbabilities(logits, id, top);
      if ((shares[id] ?? 0) > 1e-300) expect(logProbability).toBeCloseTo(Math.log(shares[id] ?? 0), 9);
      const order = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b).slice(0, top);
      expect(listed.map((each) => each.id)).toEqual(order);
      for (const each of listed)
        expect(each.logProbability).toBe(tokenProbabilities(logits, each.id, 0).logProbability);
    }
  });

  test('hold for logits that would overflow', () => {
    const { logProbability, top } = tokenProbabilities(Float32Array.of(3e38, 0, 3e38), 0, 2);
    expect(logProbability).toBeCloseTo(-Math.log(2), 12);
    expect(top.map(({ id }) => id)).toEqual([0, 2]);
    expect(tokenProbabilities(Float32Array.of(1000, -1000), 1, 0).logProbability).toBe(-2000);
  });
});
