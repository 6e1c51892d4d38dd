import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { rowAccounts } from './row-accounts.ts';

test('a duplicate names where its content first stood, however files take turns and lines jump', () => {
  const accounts = rowAccounts([], { by: null, heldOut: null, share: 0 });
  const rows = 20_000;
  const placeOf = (row: number) => ({ file: `${row % 3}.jsonl`, line: row + (row > 7000 ? Math.floor(row / 5) : 0) });
  const endOf = (row: number, at: { readonly file: string; readonly line: number }) =>
    accounts.endOf(0, { isKept: true, isFiltered: false, id: hash('sha256', `row ${row}`, 'buffer'), ...at });
  for (let row = 0; row < rows; row++) expect(endOf(row, placeOf(row))).toBeNull();
  for (let row = 0; row < rows; row += 37) {
    const { file, line } = placeOf(row);
    const reason = `the same content as ${file}:${line}`;
    expect(endOf(row, { file: 'again.jsonl', line: row })).toEqual({ fate: 'duplicate', reason });
  }
});
