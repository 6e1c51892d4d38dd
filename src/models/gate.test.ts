import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MartletError } from '../core/error.ts';
import type { Sample } from '../schema/sample.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { type Encoder, openEncoder } from './encoder.ts';
import { type DocumentsOfRow, drawRows, formatFailure, requireGate, runGate } from './gate.ts';

let scratch: string;
let encoder: Encoder;
const render = { template: 'model', learn: 'assistant', system: 'Be brief.' };
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'martlet-gate-'));
  await writeTinyModel(scratch, { seed: 1 });
  encoder = await openEncoder({ folder: scratch, render, now: new Date(0) });
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function sample(line: number, messages: Sample['messages']): Sample {
  const provenance = { source: 'rows.jsonl', file: 'rows.jsonl', line, sha256: '0'.repeat(64) };
  return { id: `id-${line}`, messages, split: 'train', provenance };
}
const talk = (line: number): Sample =>
  sample(line, [
    { role: 'user', content: `Sky ${line}?` },
    { role: 'assistant', content: 'Blue.' },
    { role: 'user', content: 'Grass?' },
    { role: 'assistant', content: 'Green.' },
  ]);

const engineOf = (name: string, promptIds: PromptEngine['promptIds']): PromptEngine => ({
  name,
  promptIds,
  async [Symbol.asyncDispose]() {},
});
const same = (of: Encoder): PromptEngine =>
  engineOf('same', async (body) => of.prompt(body as unknown as Parameters<Encoder['prompt']>[0]));

/** All of a row, as it is where nothing is cut. */
const whole =
  (of: Encoder): DocumentsOfRow =>
  async (row) => {
    const made = of.row(row);
    if (!made.ok) return { fate: 'no-supervision', reason: 'nothing is learned' };
    return { documents: made.documents.map(({ value }) => ({ ...value, whole: value, from: 0 })), cutTokens: 0 };
  };

test('sound rows pass, and an engine that sees the same prompts agrees', async () => {
  const absent = [{ name: 'vLLM', reason: 'not here' }];
  const report = await runGate({
    encoder,
    documents: whole(encoder),
    samples: [talk(1), talk(2)],
    engines: [same(encoder)],
    absent,
  });
  expect(report).toMatchObject({ ok: true, rows: 2, documents: 2, splitRows: 0, failures: [], absent });
  expect(report.engines).toEqual([{ name: 'same', prompts: 4 }]);
  expect(report.learnedTokens).toBeGreaterThan(0);
  expect(() => requireGate(report)).not.toThrow();
});

test('(g) an engine that sees another prompt is named, with the token it is at', async () => {
  const engines = [
    engineOf('other', async (body) => [...(await same(encoder).promptIds(body)), 13]),
    engineOf('shy', () => Promise.reject(new MartletError('too-much', 'it has a headache'))),
  ];
  const report = await runGate({ encoder, documents: whole(encoder), samples: [talk(1)], engines });
  expect(report.ok).toBe(false);
  // The system message of the recipe stands in front of the row's own.
  expect(report.failures.map(({ check, code, turn }) => [check, code, turn])).toEqual([
    ['g', 'engine-differs', 2],
    ['g', 'engine-differs', 4],
    ['g', 'engine-refused', 2],
    ['g', 'engine-refused', 4],
  ]);
  expect(report.failures[0]?.message).toMatch(/^other computes on 13 .* where training has/);
  expect(report.failures[0]?.window?.tokens.length).toBeGreaterThan(4);
  expect(report.failures[2]?.message).toBe('shy refuses the prompt of this answer: it has a headache');
});

test('(g) holds where tools are written as text and their results joined', async () => {
  const agent = await openEncoder({ folder: scratch, render: { ...render, agent: 'hermes' }, now: new Date(0) });
  const call = { type: 'function' as const, function: { name: 'f', arguments: {} } };
  const row = sample(1, [
    { role: 'user', content: 'Sky?' },
    { role: 'assistant', content: null, tool_calls: [call, call] },
    { role: 'tool', content: 'blue' },
    { role: 'tool', content: 'grey' },
    { role: 'assistant', content: 'Both.' },
  ]);
  const report = await runGate({
    encoder: agent,
    documents: whole(agent),
    samples: [row],
    engines: [same(agent)],
  });
  expect(report.failures).toEqual([]);
  expect(report.ok).toBe(true);
});

test('a failure names row, turn and tokens, and stops what asks for the gate', async () => {
  const silent = sample(7, [{ role: 'user', content: 'Sky?' }]);
  const report = await runGate({ encoder, documents: whole(encoder), samples: [talk(1), silent] });
  expect(report.failures).toMatchObject([{ check: 'f', row: { line: 7 }, turn: null }]);
  expect(formatFailure(report.failures[0] as (typeof report.failures)[number])).toContain('rows.jsonl:7');
  expect(() => requireGate(report)).toThrow(/1 of 2 rows/);
});

test('rows that become no document are left to the account of the shards', async () => {
  const silent = sample(7, [{ role: 'user', content: 'Sky?' }]);
  expect(
    (await runGate({ encoder, documents: whole(encoder), samples: [talk(1), silent], trainedOnly: true })).ok,
  ).toBe(true);
});

test('rows are drawn evenly, in order, and the same for a seed', async () => {
  async function* numbers(count: number): AsyncGenerator<number> {
    for (let i = 0; i < count; i++) yield i;
  }
  expect(await drawRows(numbers(5), 10, 1)).toEqual([0, 1, 2, 3, 4]);
  const drawn = await drawRows(numbers(1000), 50, 1);
  expect(drawn).toEqual(await drawRows(numbers(1000), 50, 1));
  expect(drawn).toHaveLength(50);
  expect([...drawn].sort((a, b) => a - b)).toEqual(drawn);
  const sums = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(async (seed) => (await drawRows(numbers(1000), 50, seed)).reduce((a, b) => a + b, 0)),
  );
  const mean = sums.reduce((a, b) => a + b, 0) / (sums.length * 50);
  expect(Math.abs(mean - 499.5)).toBeLessThan(60);
});
