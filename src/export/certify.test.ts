import { expect, test } from 'vitest';
import { certificate as schema } from '../schema/model.ts';
import { type Behaviour, certify } from './certify.ts';

const rows = ['a.jsonl:1', 'a.jsonl:2'];
const before: Behaviour = {
  logits: [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6, 7)],
  answers: [[1, 2], []],
};
const of = (after: Behaviour, tolerance = 1e-3, was = before) =>
  certify({ format: 'gguf', rows, before: was, after, tolerance, reader: 'a reader' });
const second = (...logits: number[]): Behaviour => ({
  ...before,
  logits: [before.logits[0] ?? new Float32Array(), Float32Array.from(logits)],
});

test('what is equal passes, and the document is whole', () => {
  const { certificate } = of(before, 1e-30);
  expect(certificate).toEqual(schema.parse(certificate));
  expect(certificate).toMatchObject({
    maxLogitDifference: 0,
    meanLogitDifference: 0,
    greedyAnswersEqual: 2,
    passed: true,
  });
});

test('a logit that differs by more than is allowed fails, and its row is named', () => {
  const after = { ...second(4, 5.25, 6, 7), answers: [[1], []] };
  const { certificate, worstRow } = of(after, 0.24);
  expect(certificate).toMatchObject({ maxLogitDifference: 0.25, greedyAnswersEqual: 1, passed: false });
  expect(certificate.meanLogitDifference).toBeCloseTo(0.25 / 7, 12);
  expect(worstRow).toBe('a.jsonl:2');
  expect(of(after, 0.25).certificate.passed).toBe(true);
});

test('numbers that are missing, broken or too many never pass', () => {
  const broken = [second(4, 5, 6), second(4, 5, 6, 7, 8), second(4, Number.NaN, 6, 7), second(4, 5, 6, Infinity)];
  for (const after of [...broken, { ...before, logits: before.logits.slice(0, 1) }]) {
    const { certificate, worstRow } = of(after, 1e6);
    expect(certificate).toMatchObject({ passed: false, maxLogitDifference: Number.MAX_VALUE });
    expect(JSON.parse(JSON.stringify(certificate))).toEqual(certificate);
    expect(worstRow).toBe('a.jsonl:2');
  }
});

test('nothing compared is nothing proven', () => {
  const none = { logits: [], answers: [] };
  expect(certify({ format: 'adapter', rows: [], before: none, after: none, tolerance: 1, reader: 'r' })).toMatchObject({
    certificate: { passed: false },
    worstRow: undefined,
  });
});
