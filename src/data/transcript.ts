import type { Message } from '../schema/sample.ts';

const speaker = /(?:^|\n\n)(Human|Assistant):[ ]?/g;

/**
 * A conversation written as Anthropic's "helpful and harmless" data is: `\n\nHuman: ...\n\nAssistant: ...`. A last
 * `Assistant:` without words is where the answer belongs, and no turn. Null for any other text.
 */
export function readTranscript(text: string): Message[] | null {
  const body = text.trimStart();
  if (!body.startsWith('Human:')) return null;
  const turns: Message[] = [];
  const marks = [...body.matchAll(speaker)];
  for (const [index, mark] of marks.entries()) {
    const from = mark.index + mark[0].length;
    const content = body.slice(from, marks[index + 1]?.index ?? body.length).trim();
    const role = mark[1] === 'Human' ? 'user' : 'assistant';
    if (content === '' && role === 'assistant' && index === marks.length - 1) break;
    turns.push({ role, content });
  }
  return turns;
}
