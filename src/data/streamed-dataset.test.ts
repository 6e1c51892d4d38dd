import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { randomStream, streamKey } from '../core/random.ts';
import type { DatasetPiece } from '../schema/dataset.ts';
import type { Sample } from '../schema/sample.ts';
import { datasetRows, ledgerOf } from './build/streamed/derived-rows.ts';
import { type BuildDatasetRequest, buildDataset } from './build-dataset.ts';
import { storiesOf } from './ledger.ts';
import type { DataValues } from './opened-source.ts';
import { piecesIn, piecesOfKept } from './test-pieces.ts';
import { chat, collect, dataValues, request, source, testFolder } from './test-rows.ts';

const files = testFolder();
afterAll(() => files.remove());

/** Rows of which some are equal, some broken, and some equal once a step has mended them. */
function mixedRows(seed: number, count: number): unknown[] {
  const random = randomStream(streamKey(71, seed));
  return Array.from({ length: count }, (_, line) => {
    const kind = random.below(12);
    if (kind === 0) return '{"messages": [';
    if (kind === 1) return chat(`q${random.below(20)}`, 'the same answer');
    if (kind === 2) return chat(`question ${seed} ${line}`, `answer\u0007 ${random.below(9)}`);
    if (kind === 3) return chat(`question ${seed} ${line}`, `answer ${random.below(9)}`, { topic: random.below(3) });
    return chat(`question ${seed} ${line}`, `answer ${'x'.repeat(random.below(400))} ${line}`);
  });
}

const jsonLines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join('');

function sources() {
  const plain = files.write('a.jsonl', mixedRows(1, 300));
  const packed = join(files.folder, 'b.jsonl.gz');
  writeFileSync(packed, gzipSync(jsonLines(mixedRows(2, 400))));
  files.write('many/part-1.jsonl', mixedRows(3, 90));
  files.write('many/part-2.jsonl', mixedRows(4, 120));
  return [source(plain), source(packed), source(join(files.folder, 'many'))];
}

const step = (name: string, options: Record<string, unknown> = {}) =>
  ({ step: name, module: null, options: { step: name, ...options } }) as DataValues['steps'][number];

const budget = { dropped: 0.5, truncated: 0 };
const split = { by: null, heldOut: null, share: 0.2 };
const changing = [
  step('clean', { html: false }),
  step('duplicates', { by: 'answer' }),
  step('filter', { keep: 'answer | length < 350' }),
  step('sample', { share: 0.7, seed: 3 }),
];

const cases: readonly (readonly [string, () => Partial<DataValues> & { sources?: DataValues['sources'] }])[] = [
  ['as they stand', () => ({})],
  ['limited', () => ({ sources: sources().map((each) => ({ ...each, limit: 80 })) })],
  ['drawn', () => ({ sources: sources().map((each, index) => ({ ...each, sample: [70, 500, 100][index] ?? null })) })],
  ['interleaved', () => ({ mix: 'interleave', mixStop: 'all-exhausted' })],
  ['taken through steps over all rows', () => ({ steps: changing })],
  ['interleaved and taken through steps', () => ({ mix: 'interleave', steps: changing })],
];

async function build(values: DataValues, more: Partial<BuildDatasetRequest>): Promise<string> {
  const folder = mkdtempSync(join(files.folder, 'dataset-'));
  await buildDataset({ ...request(values), folder, workers: 0, batchBytes: 9000, ...more });
  return folder;
}

const bytesOf = async (blocks: AsyncIterable<Uint8Array>): Promise<string> =>
  Buffer.concat(await collect(blocks)).toString();

test.each(cases)('streamed rows that are %s are made again as they would be kept', async (name, more) => {
  const values = dataValues(sources(), { budget, split, ...more() });
  const kept = await build(values, { streamed: false });
  const text = (name: string): string => readFileSync(join(kept, name), 'utf8');
  // Threads take a second to begin.
  for (const workers of name === cases.at(-1)?.[0] ? [0, 2] : [0]) {
    const streamed = await build(values, { streamed: true, workers });
    expect(readdirSync(streamed).sort()).toEqual(['dataset.json', 'pieces.jsonl', 'streamed.json']);
    expect(readFileSync(join(streamed, 'dataset.json'), 'utf8')).toBe(text('dataset.json'));
    const rows = datasetRows(streamed, {});
    expect(await bytesOf(rows.blocks())).toBe(text('rows.jsonl'));
    expect((await collect(ledgerOf(streamed, {}))).map((entry) => `${JSON.stringify(entry)}\n`).join('')).toBe(
      text('ledger.jsonl'),
    );
    expect(piecesIn(streamed)).toEqual(piecesOfKept(kept, streamed));
  }
});

test.each(cases)('a build of streamed rows that are %s goes on from wherever it was killed', async (_, more) => {
  const values = dataValues(sources(), { budget, split, ...more() });
  const work = mkdtempSync(join(files.folder, 'work-'));
  const contents = (folder: string) => readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  const whole = contents(await build(values, { streamed: true, cacheFolder: work }));
  const journals = contents(work);
  const random = randomStream(streamKey(72, journals.length));
  for (let round = 0; round < 4; round++) {
    // What a killed process leaves: passes that are through, and one that is torn somewhere.
    const pass = random.below(journals.length);
    for (const later of readdirSync(work).slice(pass + 1)) rmSync(join(work, later));
    truncateSync(join(work, `pass-${pass}`), random.below(journals[pass]?.length ?? 0));
    expect(contents(await build(values, { streamed: true, cacheFolder: work }))).toEqual(whole);
    expect(contents(work)).toEqual(journals);
  }
});

test('what was read before a build was killed is not read anew, and files that were through are not opened', async () => {
  const [first] = [1, 2].map((part) => files.write(`resumed/part-${part}.jsonl`, mixedRows(11 + part, 200)));
  const values = dataValues([source(join(files.folder, 'resumed'))], { budget, split });
  const more = { streamed: true, cacheFolder: mkdtempSync(join(files.folder, 'work-')) };
  const whole = await build(values, more);
  const journal = join(more.cacheFolder, 'pass-0');
  truncateSync(journal, Math.floor(readFileSync(journal).length * 0.8));
  // Whoever names the folder sees to it that sources are the same; here it shows what is looked at again.
  writeFileSync(
    first ?? '',
    readFileSync(first ?? '', 'utf8')
      .split('\n')
      .slice(0, 20)
      .join('\n'),
  );
  const second = join(files.folder, 'resumed/part-2.jsonl');
  writeFileSync(second, readFileSync(second, 'utf8').replace('answer x', 'answer y'));
  const resumed = await build(values, more);
  expect(readFileSync(join(resumed, 'pieces.jsonl'), 'utf8')).toBe(readFileSync(join(whole, 'pieces.jsonl'), 'utf8'));
});

test('files with nothing that is wanted in them are not opened', async () => {
  const parts = [1, 2, 3, 4].map((part) => files.write(`wanted/part-${part}.jsonl`, mixedRows(40 + part, 90)));
  const values = dataValues([source(join(files.folder, 'wanted'))], { budget, split });
  const streamed = await build(values, { streamed: true });
  const ranges = readFileSync(join(streamed, 'pieces.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as DatasetPiece).ranges);
  expect(ranges.flat().reduce((sum, { rows }) => sum + rows, 0)).toBe(4 * 90);
  const [second, fourth] = [parts[1] ?? '', parts[3] ?? ''];
  const kept = await build(values, { streamed: false });
  const meant = [second, fourth];
  const told = async (folder: string) =>
    (await Promise.all(meant.map((file) => storiesOf(folder, { source: file, line: 45 }, {})))).flat();
  const wanted = await told(kept);
  expect(wanted.map(({ entry }) => entry.line)).toEqual([45, 45]);
  // Whoever opened these would find other rows.
  for (const other of [parts[0], parts[2]]) writeFileSync(other ?? '', '{"broken": true}\n');
  expect(await told(streamed)).toEqual(wanted);

  // Lines of both files, in one reading.
  const text = readFileSync(join(kept, 'rows.jsonl'), 'utf8');
  const lines = text.split('\n').slice(0, -1);
  const starts = lines.map((_, index) =>
    Buffer.byteLength(
      lines
        .slice(0, index)
        .map((line) => `${line}\n`)
        .join(''),
    ),
  );
  const places = lines.flatMap((line, index) => {
    const { file, line: at } = (JSON.parse(line) as Sample).provenance;
    return meant.includes(file) && at > 40 && at < 50
      ? [{ start: starts[index] ?? 0, length: Buffer.byteLength(line), line }]
      : [];
  });
  expect(new Set(places.map(({ line }) => (JSON.parse(line) as Sample).provenance.file)).size).toBe(2);
  const given = await collect(datasetRows(streamed, {}).linesAt(places));
  expect(Buffer.concat(given.map(({ bytes }) => bytes)).toString()).toBe(
    places.map(({ line }) => `${line}\n`).join(''),
  );
  await expect(collect(datasetRows(streamed, {}).blocks())).rejects.toMatchObject({ code: 'source-changed' });
});

test('lines, blocks and samples are those of kept rows', async () => {
  const values = dataValues(sources(), { budget, split, steps: changing });
  const [kept, streamed] = [await build(values, { streamed: false }), await build(values, { streamed: true })];
  const [there, made] = [datasetRows(kept, {}), datasetRows(streamed, {})];
  expect(await made.bytes()).toBe(await there.bytes());
  const places: { start: number; length: number }[] = [];
  let start = 0;
  for (const line of readFileSync(join(kept, 'rows.jsonl'), 'utf8').split('\n').slice(0, -1)) {
    const length = Buffer.byteLength(line);
    if (places.length % 3 !== 1) places.push({ start, length });
    start += length + 1;
  }
  const some = places.filter((_, index) => index % 7 < 2);
  const lines = async (rows: typeof made) => {
    const given = await collect(rows.linesAt(some));
    expect(given.reduce((sum, each) => sum + each.lines, 0)).toBe(some.length);
    return Buffer.concat(given.map(({ bytes }) => bytes)).toString();
  };
  expect(await lines(made)).toBe(await lines(there));
  expect(await collect(made.samples({ split: 'heldout' }))).toEqual(await collect(there.samples({ split: 'heldout' })));
  const blocks = await collect(made.blocks());
  expect(await collect(made.blocks({ skip: 3 }))).toEqual(blocks.slice(3));
});

test('a row that was changed since is refused, and one that is asked for nowhere is not looked at', async () => {
  const file = files.write('changed.jsonl', mixedRows(9, 200));
  const folder = await build(dataValues([source(file)], { budget, split }), { streamed: true });
  const first = await collect(datasetRows(folder, {}).linesAt([{ start: 0, length: 10 }]));
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/answer x(?!.*answer x)/s, 'answer y'));
  expect(await collect(datasetRows(folder, {}).linesAt([{ start: 0, length: 10 }]))).toEqual(first);
  await expect(collect(datasetRows(folder, {}).samples())).rejects.toMatchObject({ code: 'source-changed' });
});

test('steps that have to hold or reorder all rows are refused by name', async () => {
  for (const name of ['shuffle', 'near-duplicates'])
    await expect(
      build(dataValues(sources(), { budget, steps: [step(name, defaultsOf(name))] }), { streamed: true }),
    ).rejects.toMatchObject({ code: 'step-unbounded', message: expect.stringContaining(name) });
});

const defaultsOf = (name: string): Record<string, unknown> =>
  name === 'shuffle' ? { seed: 1 } : { threshold: 0.8, words: 3, permutations: 128, seed: 1 };
