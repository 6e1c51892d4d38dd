import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Json } from '../../schema/common.ts';
import { fuzzContainers } from './fuzz-containers.ts';
import { parquetColumn, varint } from './parquet-column.ts';
import { readRows } from './read-rows.ts';

const folder = mkdtempSync(join(tmpdir(), 'martlet-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('mutated tables, texts, packed and columnar files give rows or errors of ours, and nothing else', async () => {
  const seen = await fuzzContainers({ folder, seed: 20261124, count: 700 });
  // A fuzzer whose mutants are all refused, or all accepted, tests nothing.
  expect(seen.rows).toBeGreaterThan(150);
  expect(seen['parquet-damaged']).toBeGreaterThan(80);
  expect(seen['source-damaged']).toBeGreaterThan(40);
});

// What fuzzing found: its decoder never ended.
test('a Parquet file whose pages do not say how long their levels are is damaged', async () => {
  const file = fileURLToPath(new URL('./fixtures/mutants/levels-without-length.parquet', import.meta.url));
  await expect(all(file)).rejects.toMatchObject({
    code: 'parquet-damaged',
    message: expect.stringContaining('levels'),
  });
});

// What fuzzing found: its decoder repeated a value tens of millions of times.
test('a Parquet file with a run that is longer than its page is damaged, before anything is made of the run', async () => {
  const file = fileURLToPath(new URL('./fixtures/mutants/run-of-millions.parquet', import.meta.url));
  await expect(all(file)).rejects.toMatchObject({
    code: 'parquet-damaged',
    message: expect.stringContaining('the length of a run has no end'),
  });
});

// A run of 2^31 - 1 values would exhaust the memory, were it decoded.
test.each([
  ['the first', true],
  ['the second', false],
])('a run of two thousand million values is damaged, in %s version of pages', async (_version, isFirst) => {
  const file = join(folder, `bomb-${isFirst}.parquet`);
  const run = [0xfe, 0xff, 0xff, 0xff, 0x0f, 1];
  const levels = isFirst ? [run.length, 0, 0, 0, ...run] : run;
  const page = [...levels, ...Array.from({ length: 12 }, () => 0)];
  writeFileSync(
    file,
    parquetColumn({ page, values: 3, isOptional: true, ...(!isFirst && { levelBytes: run.length }) }),
  );
  await expect(all(file)).rejects.toMatchObject({
    code: 'parquet-damaged',
    message: expect.stringContaining('a run says 2147483647 values in a page of 3'),
  });
});

// Nothing contradicts itself here: one run of the level 0, and a table that has so many rows.
test.each([
  [2 ** 30, 'a column of row group 1 has 1073741824 values; 16777216 are read'],
  [2 ** 24 + 1, 'a column of row group 1 has 16777217 values'],
])('%i rows of nulls in some bytes are more than is read together', async (values, message) => {
  const file = join(folder, `nulls-${values}.parquet`);
  writeFileSync(file, parquetColumn({ page: [...levelsOfNulls(values)], values, isOptional: true }));
  await expect(all(file)).rejects.toMatchObject({
    code: 'source-unsupported',
    message: expect.stringContaining(message),
    hint: expect.stringContaining('smaller row groups'),
  });
});

test('ten thousand rows of nulls in some bytes are read', async () => {
  const file = join(folder, 'nulls.parquet');
  writeFileSync(file, parquetColumn({ page: [...levelsOfNulls(10_000)], values: 10_000, isOptional: true }));
  expect((await texts(file)).filter((row) => row === '{"a":null}')).toHaveLength(10_000);
});

test('texts that each take over the one before are read, unless they grow beyond memory', async () => {
  const few = join(folder, 'growing.parquet');
  writeFileSync(few, parquetColumn({ ...growingTexts(300), isOptional: false }));
  expect(await texts(few)).toEqual(Array.from({ length: 300 }, (_, length) => `{"a":"${'x'.repeat(length + 1)}"}`));
  const many = join(folder, 'quadratic.parquet');
  writeFileSync(many, parquetColumn({ ...growingTexts(40_000), isOptional: false }));
  await expect(all(many)).rejects.toMatchObject({
    code: 'source-unsupported',
    message: expect.stringContaining('its texts take over more than 536870912 bytes from those before them'),
  });
});

// What fuzzing found: a date beyond all calendars ended the reading.
test('a value that is none of its type is one lost row', async () => {
  const file = fileURLToPath(new URL('./fixtures/mutants/date-out-of-range.parquet', import.meta.url));
  const problems = [];
  for await (const { problem } of readRows(file)) problems.push(problem && typeof problem === 'object' && problem.code);
  expect(problems).toContain('value-unreadable');
  expect(problems).toContain(null);
});

// Written by tests/oracles/rows.py with pyarrow 26, as what pyarrow reads in them.
test.each(['zstd', 'snappy', 'gzip', 'lz4'])(
  'a Parquet file of pyarrow, packed with %s, gives its values',
  async (codec) => {
    const place = fileURLToPath(new URL('./fixtures/', import.meta.url));
    const rows: Json[] = [];
    const isBig = (value: Json, source: string | undefined): boolean =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? '');
    for await (const { bytes } of readRows(join(place, `nested.${codec}.parquet`)))
      rows.push(
        JSON.parse(String(bytes), (_key, value: Json, context?: { source?: string }) =>
          isBig(value, context?.source) ? (context?.source ?? '') : value,
        ),
      );
    expect(rows).toEqual(JSON.parse(readFileSync(join(place, 'nested.json'), 'utf8')));
  },
);

async function all(file: string): Promise<void> {
  for await (const { line } of readRows(file)) expect(line).toBeGreaterThan(0);
}

async function texts(file: string): Promise<string[]> {
  const rows: string[] = [];
  for await (const { bytes } of readRows(file)) rows.push(String(bytes));
  return rows;
}

/** Definition levels of one run, behind their length. */
function levelsOfNulls(values: number): readonly number[] {
  const run = [...varint(values * 2), 0];
  return [run.length, 0, 0, 0, ...run];
}

/** `x`, `xx`, `xxx` ... as DELTA_BYTE_ARRAY: lengths taken over rise by 1, each text adds one letter. */
function growingTexts(values: number) {
  const blocks = (first: number, step: number): number[] => [
    ...[0x80, 0x01, 4, ...varint(values), 2 * first],
    ...Array.from({ length: Math.ceil((values - 1) / 128) }, () => [2 * step, 0, 0, 0, 0]).flat(),
  ];
  const page = [...blocks(0, 1), ...blocks(1, 0), ...Array.from({ length: values }, () => 0x78)];
  return { page, values, type: 6, encoding: 7 };
}
