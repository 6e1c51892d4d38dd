import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkConformance } from './conformance.ts';
import { encodeRow, type RowRequest } from './encode-row.ts';
import type { EncodedSample } from './encode-sample.ts';
import type { ChatMessage } from './messages.ts';
import { compileTemplate } from './template.ts';
import { testTokenizer } from './test-tokenizer.ts';

const tokenizer = testTokenizer({
  special: ['<|im_start|>', '<|im_end|>'],
  added: ['<think>', '</think>', '<tool_call>', '</tool_call>'],
});
const template = compileTemplate(
  readFileSync(join(import.meta.dirname, 'goldens', 'templates', 'qwen3.jinja'), 'utf8'),
);
const stop = tokenizer.idOf('<|im_end|>') ?? -1;

function request(messages: readonly ChatMessage[], change: Partial<RowRequest> = {}): RowRequest {
  return { template, tokenizer, messages, learn: 'assistant', stopTokens: [stop], now: new Date(0), ...change };
}

function learned({ weights, offsets, text }: EncodedSample): string {
  return Array.from(weights, (weight, i) => (weight > 0 ? text.slice(offsets[i * 2], offsets[i * 2 + 1]) : '|'))
    .join('')
    .replace(/\|+/g, '|');
}

const user = (content: string): ChatMessage => ({ role: 'user', content });
const thinks = (content: string, reasoning: string): ChatMessage => ({
  role: 'assistant',
  content,
  reasoning_content: reasoning,
});
/** The template keeps the reasoning of what follows the last question alone. */
const talk = [user('a'), thinks('b', 'r'), user('c'), thinks('d', 's'), user('e'), thinks('f', 't')];

describe('a row that the template rewrites', () => {
  it('is refused unless the recipe says otherwise', () => {
    expect(encodeRow(request(talk))).toMatchObject({
      ok: false,
      issues: [{ code: 'content-dropped' }, { code: 'content-dropped' }],
    });
  });

  it.each(['split', 'per-turn'] as const)('becomes a document of each answer: %s', (rewritten) => {
    const row = encodeRow(request(talk, { rewritten }));
    if (!row.ok) throw new Error(JSON.stringify(row.issues));
    expect(row.split).toBe(true);
    expect(row.documents.map(({ value }) => learned(value))).toEqual([
      '|<think>\nr\n</think>\n\nb<|im_end|>|',
      '|<think>\ns\n</think>\n\nd<|im_end|>|',
      '|<think>\nt\n</think>\n\nf<|im_end|>|',
    ]);
    // Each is what serving would see at that turn: earlier reasoning is gone from the prompt, as it will be then.
    expect(row.documents[2]?.value.text).not.toContain('r\n</think>');
    expect(checkConformance(request(talk, { rewritten }))).toEqual([]);
  });

  it('keeps together what the template keeps together, when it is split', () => {
    const plain: readonly ChatMessage[] = [
      user('a'),
      { role: 'assistant', content: '', tool_calls: [{ type: 'function', function: { name: 'f', arguments: {} } }] },
      { role: 'tool', content: '1' },
      thinks('b', 'r'),
      user('c'),
      thinks('d', 's'),
    ];
    const documents = (rewritten: 'split' | 'per-turn'): number => {
      const row = encodeRow(request(plain, { rewritten }));
      return row.ok ? row.documents.length : 0;
    };
    expect(documents('split')).toBe(2);
    expect(documents('per-turn')).toBe(3);
  });

  it('is one document where nothing is rewritten', () => {
    const row = encodeRow(request(talk.slice(0, 2), { rewritten: 'per-turn' }));
    expect(row).toMatchObject({ ok: true, split: false });
  });

  it('learns what the rule says, each answer once', () => {
    const row = encodeRow(request(talk, { rewritten: 'split', learn: 'last' }));
    if (!row.ok) throw new Error('refused');
    expect(row.documents.map(({ value }) => learned(value))).toEqual(['|<think>\nt\n</think>\n\nf<|im_end|>|']);
    const quiet = talk.map((message, index) => (index === 1 ? { ...message, learn: false } : message));
    const rest = encodeRow(request(quiet, { rewritten: 'split' }));
    expect(rest.ok && rest.documents).toHaveLength(2);
  });

  it('is refused all the same where splitting does not help, or would learn twice', () => {
    const deaf = compileTemplate('{% for m in messages if m.role == "user" %}{{ m.content }}{% endfor %}<|im_end|>');
    expect(encodeRow(request(talk, { template: deaf, rewritten: 'split' })).ok).toBe(false);
    expect(encodeRow(request(talk, { learn: 'all', rewritten: 'split' })).ok).toBe(false);
  });
});

describe('rules for parts of answers, in a real template', () => {
  const call = { type: 'function', function: { name: 'f', arguments: '{"a": 1}' } };
  const row = [user('a'), { ...thinks('Let me see.', 'r'), tool_calls: [call] }];
  it.each([
    [
      'assistant',
      '|<think>\nr\n</think>\n\nLet me see.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>|',
    ],
    ['ignore_reasoning', '|Let me see.\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>|'],
    ['ignore_tool_calls', '|<think>\nr\n</think>\n\nLet me see.|<|im_end|>|'],
    ['only_tool_calls', '|\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>|'],
  ])('%s', (learn, expected) => {
    const made = encodeRow(request(row, { learn }));
    if (!made.ok) throw new Error(JSON.stringify(made.issues));
    expect(learned(made.documents[0]?.value as EncodedSample)).toBe(expected);
  });

  it('weighs tokens by the strategy, the stop token once, and a message with its own weight not', () => {
    const weightsOf = (learn: string, change: object = {}): number[] => {
      const made = encodeRow(
        request([user('a'), { role: 'assistant', content: 'x <tool_call>f</tool_call>', ...change }], { learn }),
      );
      if (!made.ok) throw new Error(JSON.stringify(made.issues));
      return [...(made.documents[0]?.value.weights ?? [])].filter((weight) => weight > 0);
    };
    // The empty reasoning block that the template writes: five tokens.
    expect(weightsOf('hermes').slice(-5)).toEqual([1, 2, 2, 2, 1]);
    expect(weightsOf('hermes+ignore_empty_think')).toEqual(
      [1, 1, 2, 2, 2, 1].slice(-weightsOf('hermes+ignore_empty_think').length),
    );
    expect(new Set(weightsOf('hermes', { weight: 0.5 }))).toEqual(new Set([0.5]));
  });
});

describe('a template that says the name of a tool again above its result', () => {
  it('has the answer end where the answer ends', () => {
    const echoing = compileTemplate(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.tool_calls %}{{ m.tool_calls[0].function.name }}(){% elif m.role == 'tool' %}{{ messages[loop.index0 - 1].tool_calls[0].function.name }}: {{ m.content }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    );
    const call = { type: 'function', function: { name: 'find', arguments: {} } };
    const messages = [
      user('a'),
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', content: 'b' },
      { role: 'assistant', content: 'c' },
    ];
    const row = encodeRow(request(messages, { template: echoing }));
    if (!row.ok) throw new Error(JSON.stringify(row.issues));
    expect(learned(row.documents[0]?.value as EncodedSample)).toBe('|find()<|im_end|>|c<|im_end|>|');
  });
});

describe('content that spells a control token', () => {
  const row = [user('Stop <|im_end|> here'), { role: 'assistant', content: 'No.' } as const];
  const idsOf = (controlTokens: RowRequest['controlTokens']) => encodeRow(request(row, { controlTokens }));

  it('is ordinary text, the token, or a reason to refuse the row, with its place', () => {
    const stops = (made: ReturnType<typeof idsOf>): number =>
      made.ok ? (made.documents[0]?.value.ids.filter((id) => id === stop).length ?? 0) : -1;
    const plain = stops(idsOf('text'));
    expect(stops(idsOf(undefined))).toBe(plain);
    expect(stops(idsOf('special'))).toBe(plain + 1);
    expect(idsOf('refuse')).toMatchObject({
      ok: false,
      issues: [{ code: 'control-token', severity: 'error', path: ['messages', 0, 'content'] }],
    });
  });

  it('is told by the gate, with the row and its place', () => {
    const [found] = checkConformance(request(row));
    expect(found).toMatchObject({ code: 'control-token', severity: 'warning', path: ['messages', 0, 'content'] });
    expect(found?.window?.tokens.length).toBeGreaterThan(0);
  });
});
