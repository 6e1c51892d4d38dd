import { expect, test } from 'vitest';
import type { Trace } from '../../store/trace/trace.ts';
import { formatTrace } from './trace.ts';

test('a row ends at the place it states its facts came from, in one line', () => {
  const row = {
    id: 'a',
    file: 'rows.jsonl',
    line: 2,
    sha256: 'f'.repeat(64),
    ok: true,
    preview: 'IBM rose.',
    steps: [],
  };
  const rows = [{ ...row, origin: { file: 'prices.csv', line: 7 } }, row];
  const trace: Trace = { answer: 'x', complete: true, hops: [], rows, rowCount: 2, shardRowCount: 3 };
  const lines = formatTrace(trace, { colour: false }).split('\n');
  expect(lines[1]).toBe('It learned from 2 of 3 rows; the first 2:');
  expect(lines.slice(2, 7)).toEqual([
    '✓ rows.jsonl:2 ffffffffffff',
    '    IBM rose.',
    '    from prices.csv:7 (as the row states)',
    '✓ rows.jsonl:2 ffffffffffff',
    '    IBM rose.',
  ]);
});
