import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fingerprintText } from '../../core/fingerprint.ts';
import { writeShards } from './fixture.ts';
import { checkDatasetRows } from './rows.ts';
import { sourceLookup } from './source-lookup.ts';
import { checkTrainedRows } from './trained-rows.ts';

test('a row that states where its facts came from is traced there, and what is no place is left out', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trace-rows-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const origin = { file: 'prices.csv', line: 7 };
  const file = join(folder, 'source.jsonl');
  const sources = [{ origin }, { origin: 'the desk' }, {}].map((extra, index) => {
    const messages = [{ role: 'assistant', content: `answer ${index}` }];
    return { messages, extra, raw: JSON.stringify({ messages, ...extra }) };
  });
  await writeFile(file, sources.map(({ raw }) => `${raw}\n`).join(''));
  const rows = sources.map(({ messages, extra, raw }, index) => {
    const provenance = { source: file, file, line: index + 1, sha256: fingerprintText(raw) };
    return { id: fingerprintText(`row ${index}`), messages, extra, split: 'train', provenance };
  });
  await writeFile(join(folder, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  expect(await checkDatasetRows(folder)).toMatchObject({ count: 3, rows: new Map(), problems: [] });
  const check = (shown: number, steps?: number) =>
    checkTrainedRows({ datasetFolder: folder, shardsFolder: folder, steps, shown, madeRows: undefined });

  await writeShards(
    folder,
    rows.map(({ id }) => id),
  );
  const traced = await check(5);
  expect(traced.problems).toEqual([]);
  expect(traced.rows.map((row) => row.origin)).toEqual([origin, undefined, undefined]);
  expect('origin' in (traced.rows[2] ?? {})).toBe(false);
  expect(traced.rows.map(({ line, ok, steps }) => [line, ok, steps])).toEqual(
    [1, 2, 3].map((line) => [line, true, [4 - line]]),
  );

  // Of the schedule's three steps, two were computed: the first row, which comes last, taught nothing.
  const begun = await check(5, 2);
  expect(begun).toMatchObject({ computed: 2, count: 3, problems: [] });
  expect(begun.rows.map(({ line, steps }) => [line, steps])).toEqual([
    [2, [2]],
    [3, [1]],
  ]);
  expect((await check(1, 2)).rows.map(({ line }) => line)).toEqual([2]);

  const stranger = fingerprintText('row 7');
  await writeShards(folder, [rows[0]?.id ?? '', stranger]);
  expect(await check(5)).toMatchObject({ count: 1, problems: [expect.stringContaining(stranger)] });
  // In another order than the dataset's, and with a stranger between them.
  await writeShards(folder, [rows[2]?.id ?? '', stranger, rows[0]?.id ?? '', rows[1]?.id ?? '']);
  const mixed = await check(2);
  expect(mixed).toMatchObject({ count: 3, problems: [expect.stringContaining(stranger)] });
  expect(mixed.rows.map(({ line }) => line)).toEqual([3, 1]);
  const partly = await check(5, 2);
  expect(partly).toMatchObject({ computed: 2, count: 3, problems: [expect.stringContaining(stranger)] });
  expect(partly.rows.map(({ line }) => line)).toEqual([1, 2]);
});

test('rows are looked up in whatever order they come, a few at a time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trace-lookup-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const row = (file: number, line: number): string => JSON.stringify({ text: `row ${line} of ${file}` });
  const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
  const files = [0, 1].map((file) => join(folder, `${file}.json`));
  // Rows 4 and 5 of each array begin on one line, so that the lines behind them are one less.
  for (const [index, file] of files.entries()) {
    const text = numbers.map((number) => row(index, number) + (number === 4 ? ', ' : ',\n')).join('');
    await writeFile(file, `[${text.replace(/,\n$/, '')}]`);
  }
  const lineOf = (number: number): number => (number > 4 ? number - 1 : number);
  const placeOf = (index: number, number: number) => ({
    ...{ file: files[index] ?? '', line: lineOf(number), number },
    sha256: fingerprintText(row(index, number)),
  });
  const inOrder = [0, 1].flatMap((index) => numbers.map((number) => placeOf(index, number)));
  const orders = [
    inOrder,
    inOrder.toReversed(),
    inOrder.toSorted((a, b) => a.number - b.number || 1),
    [...inOrder, ...inOrder],
  ];
  const foreign = { ...placeOf(0, 3), sha256: fingerprintText('another'), number: 0 };
  for (const together of [1, 2, 3, 100])
    for (const order of orders) {
      const missing: number[] = [];
      const lookup = sourceLookup<(typeof inOrder)[number]>(({ number }) => void missing.push(number), together);
      for (const place of [...order.slice(0, 5), foreign, ...order.slice(5)]) await lookup.add(place);
      await lookup.finish();
      expect(missing, `${together} at a time`).toEqual([0]);
    }
  const gone: number[] = [];
  const lookup = sourceLookup<(typeof inOrder)[number]>(({ number }) => void gone.push(number), 3);
  rmSync(files[1] ?? '');
  for (const place of inOrder) await lookup.add(place);
  await lookup.finish();
  expect(gone).toEqual(numbers);
});
