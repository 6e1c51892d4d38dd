import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { randomStream, streamKey } from '../../src/core/random.ts';
import { learnedTurns, messageWeights } from '../../src/render/learn.ts';
import type { ChatMessage } from '../../src/render/messages.ts';
import { prepareMessages } from '../../src/render/prepare.ts';
import { isSaid, piecesOf } from '../../src/render/survival.ts';
import { compileTemplate, type RenderInput, renderRaw } from '../../src/render/template.ts';
import { describeWithOracles } from '../support/oracle.ts';
import { findTemplates } from './real-templates.ts';

/**
 * What the generation tag of a template marks against what provenance learns. Empty where they agree: each character that an
 * assistant said is in a tag, and no other message's is; what a tag marks in front of the learned turn is the generation
 * prompt, which serving gives and the model never writes; and the template goes on in the tag where the message ends.
 */
function disagreements(input: RenderInput): readonly string[] | undefined {
  const rendering = renderRaw(input);
  if (!rendering.ok) return undefined;
  const weights = messageWeights(input.messages, 'assistant');
  const { turns, issues } = learnedTurns({ input, rendering, weights });
  if (issues.length > 0 || turns.length === 0) return undefined;
  const { text, generations } = rendering;
  const tagged = new Uint8Array(text.length);
  for (let i = 0; i < generations.length; i += 2) tagged.fill(1, generations[i], generations[i + 1]);
  const wrong: string[] = [];
  input.messages.forEach((_, index) => {
    const turn = turns.find(({ message }) => message === index);
    for (const { start, end, source } of piecesOf(rendering, index).filter((piece) => isSaid(piece.source.field))) {
      // The name of a tool may be said again above its result, which is nobody's answer.
      const learned = turn !== undefined && start < turn.end;
      if (tagged.subarray(start, end).includes(learned ? 0 : 1))
        wrong.push(`${source.path} of message ${index} is ${learned ? 'not tagged' : 'tagged'}`);
    }
  });
  for (const turn of turns) {
    if (!tagged.subarray(turn.start, turn.end).every(Boolean))
      wrong.push(`the tag leaves out a part of turn ${turn.message}`);
    if (!turn.promptMatches) continue;
    const prompt = renderRaw({ ...input, messages: input.messages.slice(0, turn.message), addGenerationPrompt: true });
    let first = turn.start;
    while (first > 0 && tagged[first - 1] === 1) first--;
    if (prompt.ok && !prompt.text.endsWith(text.slice(first, turn.start)))
      wrong.push(`the tag of turn ${turn.message} begins in front of the generation prompt`);
  }
  return wrong;
}

const call = { id: 'abcdefghi', type: 'function', function: { name: 'find', arguments: { a: 1, b: 'x "y"' } } };
const texts = ['Blue.', 'Sky?\n\nGrass? ', ' é 😀', '{"a": 1.0}', 'Two\nlines'];

function conversation(seed: number): ChatMessage[] {
  const random = randomStream(streamKey(seed, 5));
  const say = (): string => texts[random.below(texts.length)] ?? '';
  const messages: ChatMessage[] = random.uniform() < 0.4 ? [{ role: 'system', content: say() }] : [];
  const rounds = 1 + random.below(3);
  for (let round = 0; round < rounds; round++) {
    messages.push({ role: 'user', content: say() });
    if (random.uniform() < 0.3) {
      messages.push({ role: 'assistant', content: '', tool_calls: [call] });
      messages.push({ role: 'tool', content: say(), tool_call_id: 'abcdefghi', name: 'find' });
    }
    const last = round === rounds - 1;
    messages.push({
      role: 'assistant',
      content: say(),
      ...(last && random.uniform() < 0.3 && { reasoning_content: 'Hm.' }),
    });
  }
  return messages;
}

const conversations = Array.from({ length: 40 }, (_, seed) => conversation(seed));

function checked(source: string): { rendered: number; wrong: ReadonlyMap<string, number> } {
  const template = compileTemplate(source);
  const wrong = new Map<string, number>();
  let rendered = 0;
  for (const messages of conversations) {
    const specialTokens = { bos_token: '<s>', eos_token: '</s>' };
    const found = disagreements({
      template,
      messages: prepareMessages(messages, template),
      specialTokens,
      now: new Date(0),
    });
    if (!found) continue;
    rendered++;
    for (const each of found) wrong.set(each, (wrong.get(each) ?? 0) + 1);
  }
  return { rendered, wrong };
}

test('a generation tag agrees with provenance: the golden template', () => {
  const file = new URL('../../src/render/goldens/templates/chatml-generation.jinja', import.meta.url);
  const { rendered, wrong } = checked(readFileSync(file, 'utf8'));
  expect([...wrong]).toEqual([]);
  expect(rendered).toBeGreaterThan(5);
});

describeWithOracles('a generation tag agrees with provenance', () => {
  test('in the training templates that TRL carries', async () => {
    const templates = (await findTemplates({ installed: ['trl'] })).filter(
      ({ text, file }) => file.endsWith('.jinja') && /\{%-?\s*generation\b/.test(text),
    );
    expect(templates.length).toBeGreaterThan(20);
    const found: string[] = [];
    let rendered = 0;
    for (const { text, file } of templates) {
      const result = checked(text);
      rendered += result.rendered;
      for (const [what, times] of result.wrong) found.push(`${file}: ${what} (${times} times)`);
    }
    expect(found).toEqual([]);
    expect(rendered).toBeGreaterThan(300);
  });
});
