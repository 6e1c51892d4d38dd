import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RandomStream, randomStream } from '../../src/core/random.ts';
import type { Json } from '../../src/schema/common.ts';
import { readRows } from '../../src/store/rows/read-rows.ts';
import { describeWithOracles, oracle } from '../support/oracle.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-rows-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describeWithOracles('rows of other programs', () => {
  test('CSV gives the fields of Python, however it is quoted, and refuses what Python refuses', async () => {
    const random = randomStream(7);
    let sound = 0;
    for (let round = 0; round < 60; round++) {
      const text = csvText(random);
      const [records] = await oracle<string[][][]>('rows', {
        csv: Buffer.from(text).toString('base64'),
        delimiters: [','],
      }).catch(() => [null]);
      const file = join(folder, 'a.csv');
      await writeFile(file, text);
      const problems: string[] = [];
      const rows: Json[] = [];
      for await (const { bytes, problem } of readRows(file, { chunkBytes: 3 + random.below(20) })) {
        if (typeof problem === 'object' && problem) problems.push(problem.code);
        else rows.push(Object.values(JSON.parse(String(bytes)) as object));
      }
      if (records === null) expect(problems).toContain('bad-quoting');
      else {
        sound++;
        expect(problems.filter((code) => code !== 'field-count')).toEqual([]);
        expect(rows).toEqual(records?.slice(1).filter((record) => record.length === 3));
      }
    }
    expect(sound).toBeGreaterThan(20);
    expect(sound).toBeLessThan(60);
  });

  for (const options of [
    { compression: 'snappy' },
    { compression: 'zstd', use_dictionary: false, data_page_version: '2.0' },
    { compression: 'gzip', row_group_size: 13, version: '1.0', use_deprecated_int96_timestamps: true },
    { compression: 'none', data_page_size: 64, column_encoding: { id: 'DELTA_BINARY_PACKED' }, use_dictionary: false },
    { compression: 'lz4', row_group_size: 20 },
    { compression: 'brotli', write_page_index: true, store_decimal_as_integer: true },
  ]) {
    test(`Parquet gives the values of pyarrow: ${JSON.stringify(options)}`, async () => {
      const file = join(folder, 'a.parquet');
      const request = { write: file, read: file, options: { rows: 47, ...options } };
      const expected = await oracle<Json[]>('rows', request);
      const rows = [];
      for await (const { bytes, problem, line, rowGroup } of readRows(file)) {
        expect(problem).toBeNull();
        expect(line).toBe(rows.length + 1);
        const size = 'row_group_size' in options ? (options.row_group_size ?? 47) : 47;
        expect(rowGroup).toBe(1 + Math.floor(rows.length / size));
        rows.push(JSON.parse(String(bytes), exactly));
      }
      const isInt96 = 'use_deprecated_int96_timestamps' in options;
      expect(rows).toEqual(isInt96 ? expected.map(withoutZone) : expected);
    });
  }
});

/** Numbers that a double does not hold, as text. */
function exactly(this: unknown, _key: string, value: Json, context?: { source?: string }): Json {
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
    ? (context?.source ?? '')
    : value;
}

/** INT96 has no time zone of its own. */
const withoutZone = (row: Json): Json => ({
  ...(row as object),
  utc:
    String((row as { utc: Json }).utc)
      .replace(/Z$/, '')
      .replace(/^null$/, '') || null,
});

/** Three columns and a few rows, with quotes, separators and line ends where they hurt. */
function csvText(random: RandomStream): string {
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)] as T;
  const plain = ['', 'a', ' b ', 'c"d', 'ü', "it's", '1.50', '{"a":1}', 'x y'];
  const inside = ['', 'a', 'a,b', 'say ""hi""', 'two\nlines', 'two\r\nlines', 'é,\n""', ','];
  const field = (): string => {
    const kind = random.below(40);
    if (kind === 0) return '"open';
    if (kind === 1) return '"closed" too early';
    return kind < 18 ? pick(plain) : `"${pick(inside)}"`;
  };
  const end = pick(['\n', '\r\n', '\r']);
  const rows = Array.from({ length: 1 + random.below(5) }, () => [field(), field(), field()].join(','));
  if (random.below(3) === 0) rows.splice(random.below(rows.length + 1), 0, '');
  return ['a,b,c', ...rows].join(end) + pick(['', end]);
}
