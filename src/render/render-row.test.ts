import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type RandomStream, randomStream, streamKey } from '../core/random.ts';
import type { Json } from '../schema/common.ts';
import { renderRow } from './render-row.ts';
import { compileTemplate } from './template.ts';
import { testTokenizer } from './test-tokenizer.ts';

const folder = new URL('./goldens/templates/', import.meta.url);
const templates = readdirSync(folder).map((file) => compileTemplate(readFileSync(new URL(file, folder), 'utf8')));
const tokenizer = testTokenizer({ special: ['<|im_start|>', '<|im_end|>', '<s>', '</s>'] });
const stopTokens = [tokenizer.idOf('<|im_end|>') ?? -1, tokenizer.idOf('</s>') ?? -1];

const words = [
  '',
  'a',
  'user',
  'assistant',
  'tool',
  '<|im_end|>',
  '<think>\nb</think>c',
  '\ud83d',
  '😀',
  '0',
  '__proto__',
];
const keys = [
  'role',
  'content',
  'tool_calls',
  'function',
  'name',
  'arguments',
  'reasoning_content',
  'type',
  'text',
  '1',
  'learn',
  'weight',
];

function randomJson(random: RandomStream, depth: number): Json {
  const kind = random.below(depth > 0 ? 8 : 5);
  if (kind === 0) return null;
  if (kind === 1) return random.uniform() < 0.5;
  if (kind === 2) return random.uniform() < 0.5 ? random.below(9) - 4 : random.uniform();
  if (kind < 5) return words[random.below(words.length)] ?? '';
  if (kind === 5) return Array.from({ length: random.below(3) }, () => randomJson(random, depth - 1));
  return Object.fromEntries(
    Array.from({ length: random.below(4) }, () => [
      keys[random.below(keys.length)] ?? '',
      randomJson(random, depth - 1),
    ]),
  );
}

/** Mostly a conversation, with what does not belong put anywhere. */
function randomRow(random: RandomStream): Json {
  const odd = (value: Json): Json => (random.uniform() < 0.12 ? randomJson(random, 2) : value);
  const message = (role: string): Json =>
    odd({
      role: odd(role),
      content: odd(words[random.below(words.length)] ?? ''),
      ...(random.uniform() < 0.3 && { reasoning_content: odd('Hm.') }),
      ...(random.uniform() < 0.3 && {
        tool_calls: odd([
          odd({ id: 'c', type: 'function', function: odd({ name: odd('f'), arguments: odd({ a: 1 }) }) }),
        ]),
      }),
    });
  const roles = ['system', 'user', 'assistant', 'tool', 'assistant'].filter(() => random.uniform() < 0.8);
  return odd({
    messages: odd(roles.map(message)),
    tools: odd(null),
    add_generation_prompt: odd(false),
    eos_token: odd('</s>'),
  });
}

test('whatever a row holds, it becomes a text or an error, with spans, ids and a mask that fit', () => {
  let texts = 0;
  for (let seed = 0; seed < 1500; seed++) {
    const random = randomStream(streamKey(seed, 11));
    const line = JSON.stringify(randomRow(random));
    const template = templates[seed % templates.length];
    if (!template) continue;
    const learn =
      ['assistant', 'all+hermes', 'last_round+ignore_reasoning', 'only_tool_calls'][seed % 4] ?? 'assistant';
    const row = renderRow(line, { template, now: new Date(0), tokens: { tokenizer, stopTokens, learn } });
    expect((row.text === null) !== (row.error === null), line).toBe(true);
    if (row.text === null) continue;
    texts++;
    let at = 0;
    for (const { start, end } of row.spans) {
      expect(start).toBe(at);
      at = end;
    }
    expect(at).toBe(row.text.length);
    expect(row.mask).toHaveLength(row.ids?.length ?? -1);
    expect(tokenizer.decode(row.ids ?? []), line).toBe(row.text);
  }
  expect(texts).toBeGreaterThan(300);
});
