import { expect, test } from 'vitest';
import { normal, randomStream } from '../core/random.ts';
import { headGraphs } from './head.ts';
import { testRuntime } from './test-runtime.ts';

const [hidden, vocabulary, rows] = [16, 50, 6];
const epsilon = 1e-5;

// 1: logits of order one. 300: log-probabilities down to -3,000, where exp of a logit alone would overflow.
test.each([1, 300])(
  'log-probabilities and slopes are those of double precision, logits up to %s times as large',
  async (size) => {
    const runtime = await testRuntime();
    const random = randomStream(size);
    const draw = (length: number, scale: number): Float32Array =>
      Float32Array.from({ length }, () => scale * normal(random));
    const h = draw(rows * hidden, 1);
    const norm = draw(hidden, 1);
    const head = draw(vocabulary * hidden, size / Math.sqrt(hidden));
    const labels = Array.from({ length: rows }, () => random.below(vocabulary));
    const graphs = headGraphs({ hidden, vocabulary, epsilon });
    const program = await runtime.compile(graphs.forward);
    const logProbability = new Float32Array(rows);
    const slope = new Float32Array(rows * hidden);
    await program.run(
      {
        h: runtime.float(h, [rows, hidden]),
        norm: runtime.float(norm, [hidden]),
        head: runtime.float(head, [vocabulary, hidden]),
        labels: runtime.tensor({ dtype: 'int64', data: BigInt64Array.from(labels, BigInt), shape: [rows] }),
      },
      { logProbability: runtime.float(logProbability, [rows, 1]), slope: runtime.float(slope, [rows, hidden]) },
    );
    for (let row = 0; row < rows; row++) {
      const x = [...h.subarray(row * hidden, (row + 1) * hidden)];
      const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / hidden + epsilon);
      const normed = x.map((value, i) => (value / root) * (norm[i] ?? 0));
      const weight = (token: number, i: number): number => head[token * hidden + i] ?? 0;
      const logits = Array.from({ length: vocabulary }, (_, token) =>
        normed.reduce((sum, value, i) => sum + value * weight(token, i), 0),
      );
      const highest = Math.max(...logits);
      const total = highest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
      const label = labels[row] ?? 0;
      const expected = (logits[label] ?? 0) - total;
      expect(Math.abs((logProbability[row] ?? Number.NaN) - expected)).toBeLessThan(
        1e-5 * size + 1e-6 * Math.abs(expected),
      );
      for (let i = 0; i < hidden; i++) {
        const mean = logits.reduce((sum, logit, token) => sum + Math.exp(logit - total) * weight(token, i), 0);
        const difference = Math.abs((slope[row * hidden + i] ?? Number.NaN) - (weight(label, i) - mean));
        expect(difference, `slope ${i} of row ${row}`).toBeLessThan(1e-4 * size);
      }
    }
  },
);
