import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fingerprintText } from '../../core/fingerprint.ts';
import { writeShards } from './fixture.ts';
import { checkDatasetRows, checkShardRows } from './rows.ts';

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
  const dataset = await checkDatasetRows(folder);
  expect(dataset.problems).toEqual([]);

  await writeShards(
    folder,
    rows.map(({ id }) => id),
  );
  const traced = await checkShardRows({ folder, dataset, shown: 5 });
  expect(traced.problems).toEqual([]);
  expect(traced.rows.map((row) => row.origin)).toEqual([origin, undefined, undefined]);
  expect('origin' in (traced.rows[2] ?? {})).toBe(false);
  expect(traced.rows.map(({ line, ok, steps }) => [line, ok, steps])).toEqual(
    [1, 2, 3].map((line) => [line, true, [4 - line]]),
  );

  const stranger = fingerprintText('row 7');
  await writeShards(folder, [rows[0]?.id ?? '', stranger]);
  const strange = await checkShardRows({ folder, dataset, shown: 5 });
  expect(strange).toMatchObject({ count: 1, problems: [expect.stringContaining(stranger)] });
});
