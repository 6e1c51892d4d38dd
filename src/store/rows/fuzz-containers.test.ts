import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
  const read = async () => {
    for await (const { line } of readRows(file)) expect(line).toBeGreaterThan(0);
  };
  await expect(read()).rejects.toMatchObject({ code: 'parquet-damaged', message: expect.stringContaining('levels') });
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
