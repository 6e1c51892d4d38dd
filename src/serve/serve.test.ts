import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { martletHome } from '../envs/home.ts';
import type { Capture } from '../schema/deployment.ts';
import { readCaptures } from '../store/audit/captures.ts';
import { folderFingerprint } from '../store/files/files.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { answerDigest, answerRows } from './answer-rows.ts';
import { answeredRows, batchRow } from './batch-rows.ts';
import { openBackend } from './open-backend.ts';
import { type Serving, startServing } from './start-serving.ts';

let folder: string;
let store: Store;
let serving: Serving;
let client: OpenAI;
const clock = (): Date => new Date();
const options = async () => ({
  store,
  models: [],
  base: { folder: join(folder, 'model'), address: 'tiny', fingerprint: await folderFingerprint(join(folder, 'model')) },
  slots: 3,
  maxLength: 96,
  home: martletHome(process.env),
  env: process.env,
  clock,
  log: () => {},
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'martlet-serve-'));
  await writeTinyModel(join(folder, 'model'), { seed: 5, headDim: 16 });
  store = await openStore({ root: join(folder, 'store'), clock, who: 'test' });
  serving = await startServing({ ...(await options()), port: 0 });
  client = new OpenAI({ baseURL: `${serving.url}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  await serving?.close();
  await rm(folder, { recursive: true });
});

const ask = (content: string, more: object = {}) =>
  client.chat.completions.create({
    model: 'base',
    messages: [{ role: 'user', content }],
    max_completion_tokens: 12,
    temperature: 0,
    ...more,
  } as OpenAI.ChatCompletionCreateParamsNonStreaming);
const textOf = (reply: OpenAI.ChatCompletion): string => reply.choices[0]?.message.content ?? '';
const drawn = { temperature: 1, seed: 11 };

test('the official client is answered: whole, streamed, with log-probabilities, and the same for the same seed', async () => {
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['base']);
  const whole = await ask('the price', { ...drawn, logprobs: true, top_logprobs: 3 });
  expect(whole.usage).toMatchObject({ completion_tokens: whole.choices[0]?.logprobs?.content?.length });
  const [first] = whole.choices[0]?.logprobs?.content ?? [];
  expect(first?.top_logprobs).toHaveLength(3);
  expect(first?.logprob).toBeLessThan(0);
  expect(first?.logprob).toBeLessThanOrEqual(first?.top_logprobs[0]?.logprob ?? Number.NaN);
  expect(textOf(await ask('the price', drawn))).toBe(textOf(whole));
  expect(textOf(await ask('the price', { ...drawn, seed: 12 }))).not.toBe(textOf(whole));

  const stream = client.chat.completions.stream({
    model: 'base',
    messages: [{ role: 'user', content: 'the price' }],
    max_completion_tokens: 12,
    ...drawn,
  });
  expect(textOf(await stream.finalChatCompletion())).toBe(textOf(whole));

  const stop = textOf(whole).slice(3, 5);
  const cut = await ask('the price', { ...drawn, stop: [stop] });
  expect(textOf(cut)).toBe(textOf(whole).slice(0, textOf(whole).indexOf(stop)));
  expect(cut.choices[0]?.finish_reason).toBe('stop');
});

test('requests at the same time get the answers they get one by one', async () => {
  const questions = ['the', 'the price', 'the close of the month', 'and', 'change is'];
  const tokensOf = async (question: string) => {
    const { choices } = await ask(question, { logprobs: true });
    return choices[0]?.logprobs?.content ?? [];
  };
  const alone: Awaited<ReturnType<typeof tokensOf>>[] = [];
  for (const question of questions) alone.push(await tokensOf(question));
  const together = await Promise.all(questions.map(tokensOf));
  together.forEach((tokens, row) => {
    expect(tokens.map(({ bytes }) => bytes)).toEqual(alone[row]?.map(({ bytes }) => bytes));
    for (const [at, { logprob }] of tokens.entries())
      expect(logprob).toBeCloseTo(alone[row]?.[at]?.logprob ?? Number.NaN, 4);
  });
  // The answers of so small a model may be alike; how sure it is of them depends on what was asked.
  expect(new Set(alone.map(([first]) => first?.logprob.toFixed(3))).size).toBeGreaterThan(3);
});

test('a client that breaks off frees its slot, and what it saw is on record', async () => {
  const stream = await client.chat.completions.create({
    model: 'base',
    messages: [{ role: 'user', content: 'price' }],
    stream: true,
    temperature: 1,
    seed: 4,
    logit_bias: {},
  });
  let id = '';
  for await (const chunk of stream) {
    id = chunk.id;
    if (chunk.choices[0]?.delta.content) break;
  }
  await expect
    .poll(async () => (await (await fetch(`${serving.url}/health`)).json()) as object)
    .toMatchObject({
      active: 0,
      requests: 0,
    });
  const captures: Capture[] = [];
  for await (const { capture } of readCaptures(store.root)) captures.push(capture);
  const last = captures.find((capture) => capture.id === id);
  // The tiny model may have been quicker than the client.
  expect(['aborted', 'length', 'stop']).toContain(last?.finishReason);
  expect(last?.completionTokens).toBeGreaterThan(0);
});

test('what the client may not do is said in words that it shows', async () => {
  await expect(ask('x', { model: 'bse' })).rejects.toThrow('did you mean "base"');
  await expect(ask('word '.repeat(100))).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
  await expect(startServing({ ...(await options()), host: '0.0.0.0' })).rejects.toMatchObject({
    code: 'api-key-missing',
  });
  const port = Number(new URL(serving.url).port);
  await expect(startServing({ ...(await options()), port })).rejects.toMatchObject({ code: 'port-taken' });
});

test('rows are answered in order, each on record, and a second run goes on where the first stopped', async () => {
  const settings = { temperature: 0, seed: 0, max_tokens: 6 };
  const user = (content: string) => ({ role: 'user' as const, content });
  const input = [
    [user('the price')],
    [user('the'), { role: 'assistant' as const, content: 'known' }],
    [user('word '.repeat(200))],
    [user('and')],
  ];
  const rows = input.flatMap((messages, index) => {
    const row = batchRow({ messages }, { file: 'rows.jsonl', line: 2 * index + 1, settings });
    return row.ok ? row.value : [];
  });
  expect(rows[1]?.chat.messages).toEqual([user('the')]);
  await using backend = await openBackend(await options());
  const { signal } = new AbortController();
  const answers = await Array.fromAsync(answerRows({ backend, model: 'base', rows, atOnce: 3, signal }));
  expect(answers.map(({ line, error }) => [line, error?.code])).toEqual([
    [1, undefined],
    [3, undefined],
    [5, 'context_length_exceeded'],
    [7, undefined],
  ]);
  expect(answers[0]).toMatchObject({ model: 'base', usage: { completionTokens: expect.any(Number) } });
  const recorded: string[] = [];
  for await (const { capture } of readCaptures(store.root)) recorded.push(capture.id);
  for (const { id } of answers) if (id) expect(recorded).toContain(id);

  const output = join(folder, 'out.jsonl');
  const digests = rows.map((row) => answerDigest(row, { backend, model: 'base' }));
  expect(answers.map(({ digest }) => digest)).toEqual(digests);
  expect(await answeredRows(output, digests)).toEqual({ count: 0, bytes: 0 });
  await writeFile(
    output,
    answers
      .slice(0, 2)
      .map((each) => `${JSON.stringify(each)}\n`)
      .join(''),
  );
  const { length } = await readFile(output);
  await appendFile(output, '{"line": 5, "dig');
  expect(await answeredRows(output, digests)).toEqual({ count: 2, bytes: length });
  await expect(answeredRows(output, digests.toReversed())).rejects.toMatchObject({ code: 'output-differs' });
});
