import { describe, expect, it } from 'vitest';
import type { Tokenizer } from '../spec/tokenizer.ts';
import { checkConformance, type Finding } from './conformance.ts';
import type { RowRequest } from './encode-row.ts';
import type { ChatMessage } from './messages.ts';
import { compileTemplate } from './template.ts';
import { testTokenizer } from './test-tokenizer.ts';

const tokenizer = testTokenizer({ special: ['<|im_start|>', '<|im_end|>'] });
const stopTokens = [tokenizer.idOf('<|im_end|>') ?? -1];
const header = '<|im_start|>{{ m.role }}\n';
const ask = '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';
const good = `{% for m in messages %}${header}{{ m.content }}<|im_end|>\n{% endfor %}${ask}`;
const talk: readonly ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Sky?' },
  { role: 'assistant', content: 'Blue.' },
];

function findings(template: string, change: Partial<RowRequest> = {}): readonly Finding[] {
  return checkConformance({
    template: compileTemplate(template),
    tokenizer,
    messages: talk,
    learn: 'assistant',
    stopTokens,
    now: new Date(0),
    ...change,
  });
}

describe('the gate', () => {
  it('lets a sound row pass', () => {
    expect(findings(good)).toEqual([]);
  });

  // Each template or tokenizer breaks the one thing it stands for.
  it('(a) finds a prompt that is not the beginning of the whole', () => {
    const broken = `{{ 'asked ' if add_generation_prompt else 'told ' }}${good}`;
    expect(findings(broken)).toMatchObject([
      {
        check: 'a',
        code: 'prompt-differs',
        severity: 'error',
        path: ['messages', 2],
        window: { tokens: expect.anything() },
      },
    ]);
  });

  it('(a) finds ids of a prompt that differ though its text does not', () => {
    const jealous: Tokenizer = {
      ...tokenizer,
      // Alone, a text ends otherwise than inside a longer one.
      encode: (text) => (text.includes('Blue') ? tokenizer.encode(text) : tokenizer.encodeOrdinary(text)),
    };
    const found = findings(good, { tokenizer: jealous }).filter(({ check }) => check === 'a');
    expect(found).toMatchObject([{ code: 'prompt-differs', path: ['messages', 2] }]);
    expect(found[0]?.message).toMatch(/token 0 of the prompt is/);
  });

  it('(b) finds an answer that does not end in a token generation stops at', () => {
    const endless = good.replace('<|im_end|>\n', '\n');
    expect(findings(endless)).toMatchObject([
      { check: 'b', code: 'stop-not-learned', severity: 'error', path: ['messages', 2] },
    ]);
    expect(findings(good, { stopTokens: [12345] })).toMatchObject([{ check: 'b' }]);
  });

  it('(c) names a seam that the tokenizer would have merged', () => {
    const messages = [...talk.slice(0, 2), { role: 'assistant', content: '\nBlue.' } as const];
    expect(findings(good, { messages })).toMatchObject([
      { check: 'c', code: 'seam-cut', severity: 'warning', path: ['messages', 2] },
    ]);
  });

  it('(c) names a token that begins in the answer and ends in the template', () => {
    const glued = good.replace('<|im_end|>\n', '\n<|im_end|>');
    const messages = [...talk.slice(0, 2), { role: 'assistant', content: 'Blue.\n' } as const];
    expect(findings(glued, { messages })).toMatchObject([
      {
        check: 'c',
        code: 'boundary-merged',
        severity: 'warning',
        path: ['messages', 2],
        message: expect.stringContaining('ends the answer'),
      },
    ]);
  });

  it('(d) finds ids that do not say the text', () => {
    const deaf: Tokenizer = { ...tokenizer, decode: (ids) => tokenizer.decode(ids).replace('Sky', 'Sea') };
    expect(findings(good, { tokenizer: deaf })).toMatchObject([
      {
        check: 'd',
        code: 'decode-differs',
        severity: 'error',
        path: ['messages', 1],
        message: expect.stringContaining('"ea?'),
      },
    ]);
  });

  it('(e) finds a learned token that another message gave', () => {
    const echo = `{% for m in messages %}${header}{% if m.role == 'assistant' %}{{ m.content[:2] }}{{ messages[1].content }}{{ m.content[2:] }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}${ask}`;
    const found = findings(echo).filter(({ check }) => check === 'e');
    expect(found).toMatchObject([{ code: 'learned-elsewhere', severity: 'error', path: ['messages', 1] }]);
    expect(found[0]?.window?.tokens.some(({ weight, text }) => weight > 0 && text.includes('Sky'))).toBe(true);
  });

  it("(e) finds another message's word behind a space of the template's, where both are one token", () => {
    const echo = good.replace(
      '{{ m.content }}<',
      "{{ m.content }}{% if m.role == 'assistant' %} {{ messages[1].content[:3] }}{{ m.content[:2] }}{% endif %}<",
    );
    const [found, ...others] = findings(echo);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ check: 'e', code: 'learned-elsewhere', path: ['messages', 1] });
    expect(found?.window?.tokens.some(({ text }) => text.startsWith(' Sky'))).toBe(true);
  });

  it('(f) finds a row of which nothing is learned', () => {
    expect(findings(good, { messages: talk.slice(0, 2) })).toMatchObject([
      { check: 'f', code: 'no-supervision', severity: 'error' },
    ]);
    expect(findings(good, { weights: [{ match: '.', weight: 0, after: 0 }] })).toEqual([]);
  });

  it('warns of a message that the template leaves out', () => {
    const mute = `{% for m in messages if m.role != 'system' %}${header}{{ m.content }}<|im_end|>\n{% endfor %}${ask}`;
    expect(findings(mute)).toMatchObject([{ code: 'context-dropped', severity: 'warning', path: ['messages', 0] }]);
  });

  it('warns of tools that the template leaves out', () => {
    const tools = [{ type: 'function', function: { name: 'f', description: 'd', parameters: {} } }];
    expect(findings(good, { tools })).toMatchObject([{ code: 'tools-dropped', severity: 'warning', path: ['tools'] }]);
    expect(findings(`{{ tools | tojson if tools }}${good}`, { tools })).toEqual([]);
  });

  it('says which turn a system message is merged into', () => {
    const merging = `{% for m in messages %}{% if m.role == 'user' %}${header}{{ messages[0].content ~ ' ' ~ m.content }}<|im_end|>\n{% elif m.role == 'assistant' %}${header}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}${ask}`;
    expect(findings(merging)).toMatchObject([
      {
        code: 'context-merged',
        severity: 'warning',
        path: ['messages', 0],
        message: expect.stringContaining('messages[1]'),
      },
    ]);
  });
});
