import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { type RandomStream, randomStream, streamKey } from '../core/random.ts';
import type { Json } from '../schema/common.ts';
import { sample } from '../schema/sample.ts';
import { arraySplitter, lineSplitter, type RawRow, type RowSplitter } from '../store/rows/raw-rows.ts';
import { readSources } from './read-sources.ts';
import { collect, dataValues, request, source } from './test-rows.ts';

const seeds: readonly Json[] = [
  {
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: [{ type: 'text', text: 'wie spät? 😀' }] },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'clock', arguments: { zone: 'CET', n: 1.5 } } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: '12:30' },
      { role: 'assistant', content: 'half past "twelve"', reasoning_content: 'easy', weight: 0.5, learn: true },
    ],
    tools: [{ type: 'function', function: { name: 'clock', parameters: {} } }],
    facts: { time: '12:30', nested: { a: [1, 2, { b: null }] } },
    martlet: { by: 'person', embargo: '2026-01-01', licence: 'MIT' },
    symbol: 'A',
  },
  {
    conversations: [
      { from: 'human', value: 'q' },
      { from: 'function_call', value: '{"name":"f","arguments":{}}' },
      { from: 'observation', value: '3' },
      { from: 'gpt', value: 'a' },
    ],
    system: 's',
    tools: '[]',
  },
  { instruction: 'add', input: '1 2', output: '3', history: [['hi', 'ho']], label: true, margin: 0.25, rejected: '4' },
  {
    prompt: 'q',
    chosen: [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'a' },
    ],
    rejected: 'b',
  },
  { chosen: '\n\nHuman: q\n\nAssistant: a', rejected: '\n\nHuman: q\n\nAssistant: b' },
  { question: 'q', responses: [{ text: 'a', score: 1 }, 'b'], scores: [1, 2], ranks: [2, 1] },
  { anchor: 'a', positive: ['b'], negative_1: 'c', documents: ['d'], labels: [1], positive_messages: [[]] },
  {
    query: '<image><bbox>',
    response: '<video>',
    images: [{ bytes: 'iVBORw0KGgo=', path: null }],
    videos: [['data:,1', 'data:,2']],
    audios: '["data:,3"]',
    objects: { ref: [], bbox: [[1, 2]], bbox_type: 'norm1000' },
    label: [1, 2],
    chat_template_kwargs: { enable_thinking: false },
  },
  {
    messages: [
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: '3' }] }] },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: { '2': 1.0 } }] },
    ],
    rejected_messages: [
      { role: 'user', content: 'q' },
      { role: 'assistant', content: 'b' },
    ],
  },
  { text: 'a plain text', labels: [true, false] },
  { conversation: [{ human: 'q', assistant: 'a' }], completions: ['a', 'b'] },
];

/** Texts that have broken readers before. */
const splinters = [
  ...['"', '\\', '{', '}', '[', ']', ',', ':', '\n', '\r\n', '\0', 'NaN', '-', '1e999', '-0', '12345678901234567890'],
  ...['\\ud83d', '\\u0000', '"__proto__":{"role":1},', '"role":"user",', 'null', '\ufeff', '\u2028', '[[[['.repeat(60)],
  ...['{"a":'.repeat(120), '"messages":[],', '"conversations":[{}],', '"martlet":{"by":"robot"},', '1.0', '/*', "'a'"],
].map((text) => Buffer.from(text));
const badBytes = [Buffer.from([0xff]), Buffer.from([0xc3]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0x1f, 0x8b])];
const values: readonly Json[] = [
  null,
  true,
  0,
  -1.5,
  '',
  'user',
  [],
  [[]],
  {},
  { role: 'assistant' },
  [null],
  { '': '' },
];

const pick = <T>(random: RandomStream, items: readonly T[]): T => {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};

/** The same document with one value somewhere replaced, dropped or doubled. */
function changedValue(value: Json, random: RandomStream): Json {
  if (typeof value === 'string' && /^[[{]/.test(value) && random.below(2) === 0)
    return changedBytes(Buffer.from(value), random).toString();
  if (random.below(6) === 0 || typeof value !== 'object' || value === null) return pick(random, values);
  if (Array.isArray(value)) {
    if (value.length === 0) return pick(random, values);
    const at = random.below(value.length);
    const kind = random.below(4);
    if (kind === 0) return value.toSpliced(at, 1);
    if (kind === 1) return value.toSpliced(at, 0, value[random.below(value.length)] ?? null);
    return value.with(at, changedValue(value[at] ?? null, random));
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return pick(random, values);
  const at = random.below(entries.length);
  const [key = '', member = null] = entries[at] ?? [];
  const kind = random.below(5);
  if (kind === 0) entries.splice(at, 1);
  else if (kind === 1) entries[at] = [pick(random, ['role', 'content', `${key}s`, key.slice(1), 'from']), member];
  else entries[at] = [key, changedValue(member, random)];
  return Object.fromEntries(entries);
}

function changedBytes(bytes: Buffer, random: RandomStream): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.below(20));
  switch (random.below(5)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), pick(random, badBytes), bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), pick(random, splinters), bytes.subarray(end)]);
  }
}

/** A row of some kind, a few of its values changed. */
export function changedRow(random: RandomStream): Json {
  let row = pick(random, seeds);
  for (let changes = random.below(4); changes > 0; changes--) row = changedValue(row, random);
  return row;
}

/** A file of a few rows, some of them changed as data and then as bytes. */
export function mutant(random: RandomStream): { readonly name: string; readonly bytes: Buffer } {
  // Most rows of a file are of one kind, or none would be recognised.
  const usual = pick(random, seeds);
  const rows = Array.from({ length: 1 + random.below(4) }, () => {
    let row = random.below(4) === 0 ? pick(random, seeds) : usual;
    for (let changes = random.below(3); changes > 0; changes--) row = changedValue(row, random);
    return row;
  });
  const asArray = random.below(3) === 0;
  const text = asArray
    ? JSON.stringify(rows, null, random.below(3))
    : rows.map((row) => JSON.stringify(row)).join('\n');
  let bytes: Buffer = Buffer.from(text);
  for (let changes = random.below(4); changes > 0; changes--) bytes = changedBytes(bytes, random);
  return { name: asArray || random.below(3) === 0 ? 'mutant.json' : 'mutant.jsonl', bytes };
}

/**
 * Reads `count` mutants. Every row must come out as a sample that keeps to its schema or with a reason, and every file
 * that cannot be read at all must say so by an error of ours.
 * @returns how often each fate and error was seen.
 * @throws at the first mutant that breaks a reader, with its number.
 */
export async function fuzzReaders(options: {
  readonly folder: string;
  readonly seed: number;
  readonly count: number;
}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  const note = (what: string): void => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  for (let index = 0; index < options.count; index++) {
    const random = randomStream(streamKey(options.seed, index));
    const { name, bytes } = mutant(random);
    try {
      checkSplitter(lineSplitter, bytes, random);
      checkSplitter(arraySplitter, bytes, random);
      const file = join(options.folder, name);
      writeFileSync(file, bytes);
      for (const fate of await checkedFates(file, bytes)) note(fate);
    } catch (error) {
      throw new Error(`mutant ${index} of seed ${options.seed}: ${JSON.stringify(bytes.toString('latin1'))}`, {
        cause: error,
      });
    }
  }
  return seen;
}

/** A file and what reading it comes to, as `fixtures/corpus.json` keeps it; a character a byte. */
export interface FoundFile {
  readonly name: string;
  readonly bytes: string;
  readonly found: readonly string[];
}

/** The fate of each row with the codes of what is wrong with it; or the codes of what is wrong with the file. */
export async function foundIn(
  folder: string,
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
): Promise<readonly string[]> {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  try {
    const rows = await collect(readSources(request(dataValues([source(file)]))));
    return rows.map(({ fate, issues }) => [fate, ...issues.map(({ code }) => code)].join(' '));
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return [error.code, ...error.issues.map(({ code }) => code)];
  }
}

/** However the bytes are cut, the rows are the same, and each is the piece of the file it says it is. */
function checkSplitter(make: (maxRowBytes?: number) => RowSplitter, bytes: Buffer, random: RandomStream): void {
  const whole = split(make(), bytes, bytes.length + 1);
  const cut = split(make(), bytes, 1 + random.below(40));
  if (JSON.stringify(whole) !== JSON.stringify(cut)) throw new Error('rows depend on how bytes are cut');
  for (const row of whole)
    if (hash('sha256', bytes.subarray(row.offset, row.offset + row.length)) !== row.sha256)
      throw new Error(`the row of line ${row.line} is not the piece of the file it says`);
}

function split(splitter: RowSplitter, bytes: Buffer, size: number): RawRow[] {
  const rows: RawRow[] = [];
  for (let at = 0; at < bytes.length; at += size) rows.push(...splitter.push(bytes.subarray(at, at + size)));
  return [...rows, ...splitter.end()];
}

const knownErrors = ['invalid-input', 'source-unsupported', 'source-damaged'];

async function checkedFates(file: string, bytes: Buffer): Promise<string[]> {
  const lines = bytes.toString('latin1').split('\n').length;
  for (const format of ['auto', 'messages'] as const) {
    const settings = dataValues([source(file, { format })], { split: { by: null, heldOut: null, share: 0.3 } });
    const found = await collect(readSources(request(settings))).catch((error: unknown) => {
      if (MartletError.is(error) && knownErrors.includes(error.code)) return error;
      throw error;
    });
    if (MartletError.is(found)) {
      if (format === 'auto' && found.code === 'invalid-input') continue;
      return [found.code];
    }
    for (const { fate, sample: kept, reason, line } of found) {
      if (line < 1 || line > lines) throw new Error(`line ${line} of ${lines}`);
      if (kept) sample.parse(kept);
      else if (!reason) throw new Error(`a row without a reason: ${fate}`);
    }
    return found.map(({ fate }) => fate);
  }
  return [];
}
