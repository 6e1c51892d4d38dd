import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { Json } from '../../schema/common.ts';
import { fuzzContainers } from './fuzz-containers.ts';
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
  writeFileSync(file, parquetBomb(isFirst));
  await expect(all(file)).rejects.toMatchObject({
    code: 'parquet-damaged',
    message: expect.stringContaining('a run says 2147483647 values in a page of 3'),
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

/** One optional column `a` of three 32-bit integers, whose definition levels are one run of 2^31 - 1, written by hand. */
function parquetBomb(isFirst: boolean): Buffer {
  const run = [0xfe, 0xff, 0xff, 0xff, 0x0f, 1];
  const levels = isFirst ? [run.length, 0, 0, 0, ...run] : run;
  const page = [...levels, ...Array.from({ length: 12 }, () => 0)];
  const zigzag = (value: number): number => 2 * value;
  const i32 = (value: number): number[] => [0x15, zigzag(value)];
  const i64 = (value: number): number[] => [0x16, zigzag(value)];
  // num_values and encodings; the second version also has nulls, rows and the lengths of levels.
  const inner = isFirst
    ? [0x2c, ...i32(3), ...i32(0), ...i32(3), ...i32(3), 0]
    : [0x5c, ...i32(3), ...i32(0), ...i32(3), ...i32(0), ...i32(run.length), ...i32(0), 0];
  const header = [...i32(isFirst ? 0 : 3), ...i32(page.length), ...i32(page.length), ...inner, 0];
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const size = header.length + page.length;
  const root = [0x48, ...text('root'), ...[0x15, zigzag(1)], 0];
  const column = [...i32(1), 0x25, zigzag(1), 0x18, ...text('a'), 0];
  const described = [
    ...[...i32(1), 0x19, 0x15, 0, 0x19, 0x18, ...text('a'), ...i32(0)],
    ...[...i64(3), ...i64(size), ...i64(size), 0x26, zigzag(4), 0],
  ];
  const group = [0x19, 0x1c, ...[0x26, zigzag(4), 0x1c, ...described, 0], ...i64(size), ...i64(3), 0];
  const footer = Buffer.from([...i32(1), 0x19, 0x2c, ...root, ...column, ...i64(3), 0x19, 0x1c, ...group, 0]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([Buffer.from('PAR1'), Buffer.from([...header, ...page]), footer, length, Buffer.from('PAR1')]);
}
